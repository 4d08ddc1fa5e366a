"""The report as one page of HTML: no network, readable on a phone, on paper and without script."""

import base64
import io
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from sidebyside.config.factors import level_text
from sidebyside.report.comparison import Comparison
from sidebyside.report.page.content import Page
from sidebyside.report.page.drawn import Drawn
from sidebyside.report.page.interactive import libraries
from sidebyside.report.page.interactive.known import known
from sidebyside.report.page.interactive.specs import charts
from sidebyside.report.text.numbers import fixed, p_value, spelled
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
    template = _environment().get_template("report.html.j2")
    path.write_text(template.render(page=page, drawn=drawn, **_interactive(page)))
    folder = path.with_name("pictures")
    shutil.rmtree(folder, ignore_errors=True)  # another study of this name may have had others
    folder.mkdir()
    for name, svg in drawn.files().items():
        (folder / f"{name}.svg").write_text(svg)


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


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sidebyside.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "fixed": fixed,
        "p_value": p_value,
        "spelled": spelled,
        "level": level_text,
        "json": _json,
        "breakable": _breakable,
        "svg": _svg_uri,
        "image": _image_uri,
    }
    return environment


def _json(content: Any) -> Markup:
    """Return JSON that no name can break out of."""
    return htmlsafe_json_dumps(content, separators=(",", ":"), sort_keys=False)


def _breakable(name: str) -> Markup:
    """Return a name whose line may break at each underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def _svg_uri(svg: str) -> str:
    # As an image of its own, its ids can't clash with those of the others.
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _image_uri(pixels: NDArray[np.uint8]) -> str:
    """Return pixels, 255 is white on black, as a PNG dark on light."""
    file = io.BytesIO()
    shown = 255 - pixels if pixels.ndim == 2 else pixels  # dark on light, but not in colour
    Image.fromarray(shown).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
