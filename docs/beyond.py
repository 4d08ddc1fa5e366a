"""Write how far small networks get on MNIST: python docs/beyond.py.

It writes docs/beyond.md, from the committed report and evidence of study=beyond, from what its
runs cost, and from the committed report of study=beyond_factors.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from sidebyside.analysis.intervals import new_seeds_and_images, rounding_variance
from sidebyside.files import read_json
from sidebyside.report.text.markdown import table
from sidebyside.report.text.numbers import ends_text, fixed
from sidebyside.report.text.scale import ERRORS
from sidebyside.report.text.sections import main_effect_rows
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.evidence_files import FILE, read_evidence

ROOT = Path(__file__).resolve().parents[1]
REPORT, FACTORS = (ROOT / "reports" / "mnist" / name for name in ("beyond", "beyond_factors"))
PAGE = Path(__file__).with_name("beyond.md")
Entry = Mapping[str, Any]

SINGLE, TOGETHER = 0.3, 0.2  # percent: what this study was made to get under
IMAGES = 10_000
_OPENING = 2  # statements of a report: what was chosen, and what its factors do

# Errors in percent as the papers print them. None comes with an interval.
REFERENCES = (
    {
        "source": "An et al., [arXiv 2008.10400](https://arxiv.org/abs/2008.10400)",
        "network": "ensemble, kernels 3, 5 and 7, about 1.1 million parameters a network; 150 "
        "epochs, of which test accuracy chose",
        "error": 0.09,
    },
    {
        "source": "Byerly et al., [arXiv 2001.09136](https://arxiv.org/abs/2001.09136)",
        "network": "one network, about 1.5 million parameters",
        "error": 0.17,
    },
)

_HEAD = """# Small networks on MNIST: how far do they get?

Written by `python docs/beyond.py`, from the report and the evidence committed in
[reports/mnist/beyond/](../reports/mnist/beyond/comparison.md) and the times that its runs took.
`python pipelines/train.py -m study=beyond dataset=mnist` trains them.

Three networks with kernels of 3, 5 and 7 and at most 100 000 parameters, Adam with a warm-up and a
cosine schedule, images shifted and slanted, an average of the weights; {epochs} epochs of
five sixths of the training images (protocol [clean](published.md)), {seeds} seeds of each. The
networks were chosen by the validation error of one seed each, before this study began; no test
image had a part in that. Aims were a mean error under {single} %, and under {together} % for the
{seeds} networks of one kind together.
"""


def page(content: Entry, costs: Entry, evidence: Evidence, factors: Entry) -> str:
    """Return the page of a report: of ``comparison.json``, ``costs.json`` and the evidence.

    ``factors`` is the ``comparison.json`` of the study that takes the recipe to pieces.
    """
    settings = content["settings"]
    head = _HEAD.format(
        epochs=settings["epochs"],
        seeds=content["variants"][0]["n"],
        single=SINGLE,
        together=TOGETHER,
    )
    parts = [
        head,
        table([_row(variant, content, costs) for variant in content["variants"]]),
        _COLUMNS,
        *_answers(content),
        *_votes(evidence, content["selection"]["chosen"]),
        *_pieces(factors),
        "\n## Beside published figures\n",
        table([_reference(entry) for entry in REFERENCES]),
        _REFERENCES,
        "",
    ]
    return "\n".join(parts)


_COLUMNS = """
Mean error with an interval for new seeds and new images; that of all networks of a row together
(the mean of their probabilities) with one for new images. Time is that of a worker with one
thread, start and test not counted.
"""
_VOTES = """\
The lowest error below is of networks with different kernels that vote. Here, for each seed, the
three networks of that seed vote; where all three differ, {chosen} has its way. Their mean error is
{vote}, that of {chosen} alone {alone}:
a gain of {gain} points (95 %, new seeds and new images).
This was looked at after the study, which wasn't made for it."""
_PIECES = """\
`python pipelines/train.py -m study=beyond_factors dataset=mnist training.seeds={seeds}` trains each
network with and without what the recipe is made of: the augmentation, the schedule (in place of a
constant learning rate) and the average of the weights (`training.ema`), {variants} variants in all.
[Its report](../reports/mnist/beyond_factors/comparison.md) says:
"""
_EFFECTS = """
What each does on average over the others, in points of test error, with 95 % intervals; p corrected
after Holm.
"""
_REFERENCES = """
The intervals are Wilson's for new images, computed here from the printed error of 10 000 images.
Where an epoch was chosen by its test error, the figure is the lowest of many:
[watching.md](watching.md) says by how much that flatters.
"""


def _row(variant: Entry, content: Entry, costs: Entry) -> dict[str, str]:
    name, together = variant["name"], _together(variant, content)
    seconds = [own["seconds"] for own in costs.values() if own["variant"] == name]
    return {
        "network": variant["factors"]["model"],
        "parameters": f"{variant['parameters']:,}",
        "mean error %": fixed(variant["test_error"]["mean"]),
        "95 %": ends_text(variant["seeds_and_images"]),
        "sd of seeds": fixed(variant["test_error"]["sd"]),
        f"{together['n']} together %": fixed(together["test_error"]),
        "95 % over images": ends_text(together),
        "minutes a run": fixed(fmean(seconds) / 60, 1),
    }


def _together(variant: Entry, content: Entry) -> Entry:
    ensembles: Sequence[Entry] = content["ensemble"]["variants"]
    (own,) = [entry for entry in ensembles if entry["variant"] == variant["name"]]
    return own


def _answers(content: Entry) -> list[str]:
    """Return for each aim what is shown of it, and what mislabelled images leave."""
    variants = content["variants"]
    singles = {
        own["factors"]["model"]: own["seeds_and_images"] | {"mean": own["test_error"]["mean"]}
        for own in variants
    }
    ensembles = {own["factors"]["model"]: _together(own, content) for own in variants}
    together = {
        name: {"mean": own["test_error"], "low": own["low"], "high": own["high"]}
        for name, own in ensembles.items()
    }
    floor, chosen = content["floor"], content["selection"]
    lowest = min(floor["variants"], key=lambda own: own["without"])
    return [
        _against("One network", SINGLE, singles),
        _against("All seeds of a network together", TOGETHER, together),
        f"- Chosen by validation error: {chosen['chosen'].partition('=')[2]}, with a test error of "
        f"{fixed(chosen['test_error'])} % {_bracket(chosen['seeds_and_images'])}.",
        f"- {floor['images']} test images have disputed labels, "
        f"{fixed(100 * floor['images'] / IMAGES)} % of all. Without them "
        f"{lowest['variant'].partition('=')[2]} errs on {fixed(lowest['without'])} % in place of "
        f"{fixed(lowest['with'])}.",
    ]


def _against(what: str, aim: float, found: Mapping[str, Entry]) -> str:
    said = []
    for name, own in found.items():
        if own["high"] < aim:
            verdict = f"is under {aim} %"
        elif own["low"] > aim:
            verdict = f"is not under {aim} %"
        else:
            verdict = f"can't be told from {aim} %"
        said.append(f"{name} {verdict} ({fixed(own['mean'])} {_bracket(own)})")
    return f"- **{what}, under {aim} %?** {'; '.join(said)}."


def _votes(evidence: Evidence, chosen: str) -> list[str]:
    """Return what three networks of one seed, one of each kernel, err when they vote."""
    alone = evidence.of_variant(chosen)
    names = dict.fromkeys(run.variant for run in evidence.runs if run.variant != chosen)
    first, second = (evidence.of_variant(name) for name in names)
    predicted = [np.stack([run.predicted for run in runs]) for runs in (alone, first, second)]
    # Of three, two that agree outvote the third; where all differ, the chosen network has its way.
    vote = np.where(predicted[1] == predicted[2], predicted[1], predicted[0])
    wrong, wrong_alone = (100.0 * (own != evidence.target) for own in (vote, predicted[0]))
    voted = new_seeds_and_images(wrong, least_variance=rounding_variance(wrong.shape[1]))
    gain = new_seeds_and_images(
        wrong_alone - wrong, least_variance=rounding_variance(wrong.shape[1], errors=2)
    )
    assert voted is not None
    assert gain is not None
    text = _VOTES.format(
        vote=f"{fixed(voted.mean)} % {_bracket(voted.named_ends())}",
        chosen=chosen.partition("=")[2],
        alone=f"{fixed(float(wrong_alone.mean()))} %",
        gain=ERRORS.estimate({"mean": gain.mean} | gain.named_ends()),
    )
    return ["\n## A vote of the three kernels\n", text]


def _pieces(content: Entry) -> list[str]:
    """Return what the recipe owes to which of its parts."""
    main = content["effects"]["main"]
    text = _PIECES.format(variants=len(content["variants"]), seeds=main[0]["n"])
    said = [f"- {sentence}" for sentence in content["statements"][:_OPENING]]
    rows = table(main_effect_rows(main))
    return ["\n## What the recipe owes to which of its parts\n", text, *said, _EFFECTS, rows]


def _bracket(ends: Entry) -> str:
    return ERRORS.bracket(ends["low"], ends["high"])


def _reference(entry: Entry) -> dict[str, str]:
    wrong = round(entry["error"] * IMAGES / 100)
    low, high = proportion_confint(wrong, IMAGES, method="wilson")  # as of our own errors
    return {
        "source": entry["source"],
        "network": entry["network"],
        "published error %": fixed(entry["error"]),
        "95 % over images": f"{fixed(100 * low)} to {fixed(100 * high)}",
    }


def main() -> None:
    """Write the page."""
    content, costs = (read_json(REPORT / f"{name}.json") for name in ("comparison", "costs"))
    factors = read_json(FACTORS / "comparison.json")
    PAGE.write_text(page(content, costs, read_evidence(REPORT / FILE), factors))


if __name__ == "__main__":
    main()
