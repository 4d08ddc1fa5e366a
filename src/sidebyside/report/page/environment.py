"""What templates can call: numbers, names, pictures and JSON as text."""

import base64
import io
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from sidebyside.config.factors import level_text
from sidebyside.report.text.numbers import fixed, p_value, spelled


def environment() -> Environment:
    """Return the environment of the page's templates, which escapes all names."""
    templates = Environment(
        loader=PackageLoader("sidebyside.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "fixed": fixed,
        "p_value": p_value,
        "spelled": spelled,
        "level": level_text,
        "json": _json,
        "breakable": _breakable,
        "svg": _svg_uri,
        "image": _image_uri,
    }
    return templates


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
