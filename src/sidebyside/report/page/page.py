"""The report as one page of HTML: no network, readable on a phone, on paper and without script."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from sidebyside.files import write_text
from sidebyside.report.comparison import Comparison
from sidebyside.report.page.content import Page
from sidebyside.report.page.drawn import Drawn
from sidebyside.report.page.environment import environment
from sidebyside.report.page.interactive import libraries
from sidebyside.report.page.interactive.known import known
from sidebyside.report.page.interactive.specs import charts
from sidebyside.storage.evidence import Evidence


def write_report(
    comparison: Comparison,
    evidence: Evidence,
    seconds: Mapping[str, float],
    made: Mapping[str, str],
    path: Path,
    *,
    disputed: Collection[int] = (),
    margin: float | None = None,
    class_names: Sequence[str] = (),
    milliseconds: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Write the page of a study, the same bytes for the same arguments.

    Parameters
    ----------
    comparison : Comparison
    evidence : Evidence
    seconds : dict of float
        Training time by run key, where it is known.
    made : dict of str
        How the report was made, e.g. the git commit: shown as it is.
    path : pathlib.Path
        The HTML file; the pictures are also written to the folder ``pictures`` beside it.
    disputed : collection of int
        Test images whose labels human raters dispute.
    margin : float or None
        Largest difference of two variants that doesn't matter. None takes that of the
        tests of equivalence, if there are any.
    class_names : sequence of str
        In the order of the labels; empty where classes are numbers.
    milliseconds : dict of dict of float, optional
        By run key, how long batches took its network, by their number of images.
    """
    page = Page(
        comparison, evidence, seconds, made, disputed, margin, class_names, milliseconds or {}
    )
    drawn = Drawn(page)
    template = environment().get_template("report.html.j2")
    write_text(path, template.render(page=page, drawn=drawn, **_interactive(page)))
    folder = path.with_name("pictures")
    shutil.rmtree(folder, ignore_errors=True)  # another study of this name may have had others
    folder.mkdir()
    for name, svg in drawn.files().items():
        write_text(folder / f"{name}.svg", svg)


def _interactive(page: Page) -> dict[str, Any]:
    """Return what makes a page answer; there is nothing to ask of a single variant."""
    specs = charts(page)
    if not specs:
        return {"charts": {}}
    datatables, style = libraries.datatables()
    return {
        "charts": specs,
        "known": known(page),
        "vega": libraries.vega(),
        "datatables": datatables,
        "style": style,
    }
