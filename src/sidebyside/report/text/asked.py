"""Which pairs of many variants were tested, in words."""

from sidebyside.report.text.findings import Entry
from sidebyside.report.text.numbers import count_text


def of_asked(asked: Entry | None) -> str:
    """Return which pairs were tested and what they are corrected for; nothing where all were."""
    if asked is None:
        return ""
    named = f", {asked['named']} more that the study names" if asked["named"] else ""
    families = [
        f"the {count_text(own['pairs'])} {_chosen(own)} are corrected for "
        f"{count_text(own['corrected_for'])} tests"
        for own in asked["families"]
    ]
    return (
        f"Of {count_text(asked['all_pairs'])} pairs of {count_text(asked['variants'])} variants "
        f"these are tested: {count_text(asked['baseline'])} against the baseline{named}, and "
        f"{count_text(asked['neighbours'])} neighbours in the order of their means. By Holm's "
        f"method {' and '.join(families)}."
    )


def _chosen(family: Entry) -> str:
    """Return that the runs have chosen pairs, which then count as all that they might have been."""
    return "that the runs have chosen" if family["chosen"] else "that were asked about"
