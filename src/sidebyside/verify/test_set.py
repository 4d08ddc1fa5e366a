"""Whether runs of a study may have been chosen by what they did on the test set."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sidebyside.report.text.rules import rule_text, scale_of
from sidebyside.storage import journal
from sidebyside.storage.evidence import Evidence
from sidebyside.storage.journal import Entry


@dataclass(frozen=True)
class Looks:
    """What the journal tells of a study's runs and looks at the test set.

    A run counts as chosen when it was first launched or, started alone, begun: within a launch all
    runs are decided on before the first is tested.

    Attributes
    ----------
    dataset : str
    runs : int
        Runs of the study.
    unknown : int
        How many of them aren't in the journal.
    first : Entry or None
        The first look at the dataset's test set, whoever it was.
    after_any : int
        Runs of the study that were chosen after it.
    after_own : int
        Runs of the study that were chosen after a look at a run of the study.
    watched : int
        Runs of the study whose training showed the test images, as their protocol wants it.
    stopping : dict or None
        The rule by which test errors decided how many seeds there are, see
        `sidebyside.config.schema.Study.stopping`.
    """

    dataset: str
    runs: int
    unknown: int
    first: Entry | None
    after_any: int
    after_own: int
    watched: int
    stopping: dict[str, Any] | None

    @property
    def sentences(self) -> list[str]:
        """What the journal tells, in words."""
        sentences = [self._of_first(), self._of_order()]
        if self.unknown:
            sentences.append(
                f"{self.unknown} of the study's {self.runs} runs aren't in this run store's "
                "journal: they were begun elsewhere, or before it was kept, and nothing is known "
                "of them."
            )
        if self.watched:
            sentences.append(
                f"{self.watched} of {self.runs} runs of the study validated on the test images "
                "while they trained, as their protocol says."
            )
        if self.stopping:
            sentences.append(
                f"Seeds were added {rule_text(self.stopping)}: how many there are was chosen by "
                f"{scale_of(self.stopping).test}, of which the report says what takes account."
            )
        return [sentence for sentence in sentences if sentence]

    def _of_first(self) -> str:
        if self.first is None:
            return f"The journal knows of no look at the test images of {self.dataset}."
        run = f" of run {self.first.keys[0][:12]}" if len(self.first.keys) == 1 else ""
        return f"The test images of {self.dataset} were first read by {self.first.by}{run}."

    def _of_order(self) -> str:
        if self.unknown == self.runs:
            return ""
        if self.after_own:
            return (
                f"{self.after_own} of {self.runs} runs of the study were begun after a look at "
                "results of the study: seeds or variants may have been chosen by test error."
            )
        if self.after_any:
            return (
                "No run of the study was begun after a look at results of the study, but "
                f"{self.after_any} of {self.runs} after a look at the same test images for another "
                "purpose."
            )
        known = "No run of the study" if not self.unknown else "None of its runs in the journal"
        return f"{known} was begun after a look at the test set."

    def as_json(self) -> dict[str, Any]:
        """Return the fields, and what they come to, as JSON types."""
        return asdict(self) | {"sentences": self.sentences}


def looks(
    dataset: str,
    keys: Sequence[str],
    stopping: dict[str, Any] | None,
    entries: Sequence[Entry],
) -> Looks:
    """Return what the journal tells of a study.

    Parameters
    ----------
    dataset : str
    keys : sequence of str
        Of the study's runs.
    stopping : dict or None
        The rule by which seeds were added.
    entries : sequence of Entry
        The journal, before whoever asks has looked at the test set as well.
    """
    entries = [entry for entry in entries if entry.dataset == dataset]
    own, chosen = set(keys), _chosen(entries)
    known = [chosen[key] for key in own if key in chosen]
    seen = [(number, entry) for number, entry in enumerate(entries) if entry.event == "look"]
    of_study = [number for number, entry in seen if own.intersection(entry.keys)]
    return Looks(
        dataset=dataset,
        runs=len(keys),
        unknown=len(keys) - len(known),
        first=seen[0][1] if seen else None,
        after_any=sum(number > seen[0][0] for number in known) if seen else 0,
        after_own=sum(number > of_study[0] for number in known) if of_study else 0,
        watched=len({k for _, e in seen if e.by == journal.VALIDATION for k in e.keys} & own),
        stopping=stopping,
    )


def looks_at(evidence: Evidence, entries: Sequence[Entry]) -> Looks:
    """Return what the journal tells of the study that an evidence is of, see `looks`."""
    keys = [run.key for run in evidence.runs]
    return looks(evidence.dataset, keys, evidence.stopping, entries)


def _chosen(entries: Sequence[Entry]) -> dict[str, int]:
    """Return by run key the number of the entry by which it was launched, or begun without that.

    Runs that arrived from another machine one by one were chosen as their launch was, which is with
    the first of them: it has the same time in the lines of all.
    """
    chosen: dict[str, int] = {}
    launches: dict[tuple[str, str], int] = {}
    for number, entry in enumerate(entries):
        if entry.event == "launched":
            first = launches.setdefault((entry.by, entry.time), number)
        elif entry.event == "begun":
            first = number
        else:
            continue
        for key in entry.keys:
            chosen[key] = min(first, chosen.get(key, first))
    return chosen
