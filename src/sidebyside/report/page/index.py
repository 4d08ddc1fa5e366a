"""The page over all reports: what each found, with its picture."""

from dataclasses import dataclass
from pathlib import Path

from sidebyside.files import read_json, write_text
from sidebyside.report.page.environment import environment
from sidebyside.report.text.note import metric_of
from sidebyside.report.text.scale import Scale

_FOUND = 2  # statements of each


@dataclass(frozen=True)
class Entry:
    """A report as the index shows it; paths are relative to the index."""

    dataset: str
    study: str
    runs: int
    variants: int
    protocol: str
    found: list[str]
    page: str
    picture: str
    title: str

    @property
    def command(self) -> str:
        """What writes its page."""
        return f"sidebyside report study={self.study} dataset={self.dataset}"


def write_index(folder: Path) -> Path:
    """Write ``index.html`` over the reports in a folder, and return its path.

    Reports are listed by dataset and study; one without a page shows the command that writes it.
    """
    entries = [_entry(path.parent, folder) for path in sorted(folder.glob("*/*/comparison.json"))]
    template = environment().get_template("index.html.j2")
    index = folder / "index.html"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(index, template.render(entries=entries))
    return index


def _entry(report: Path, folder: Path) -> Entry:
    content = read_json(report / "comparison.json")

    def beside(name: str) -> str:
        path = report / name
        return path.relative_to(folder).as_posix() if path.is_file() else ""

    return Entry(
        dataset=content["dataset"],
        study=content["study"],
        runs=content["n_runs"],
        variants=len(content["variants"]),
        protocol=content["protocol"],
        found=content["statements"][:_FOUND],
        page=beside("report.html"),
        picture=beside("pictures/variants.svg"),
        title=Scale(metric_of(content)).title,
    )
