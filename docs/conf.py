"""How Sphinx makes the site of these pages: make site."""

import os
import re
import shutil
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[1]
_ELSEWHERE = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>\.\./[^)]*)\)")
_log = logging.getLogger(__name__)

project = "sidebyside"
author = "the sidebyside developers"
version = release = installed("sidebyside")
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["server/*", "commands/*"]  # the second are shown by commands.md
html_theme = "furo"
html_title = f"sidebyside {version}"
html_show_copyright = False

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # a column of output is no program

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = False

# A notebook has a project of its own, so that a build leaves this one as it is.
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress


def _notebooks_project(app: Sphinx) -> None:
    """Give notebooks configs to compose, and a folder to train in."""
    folder = Path(app.outdir).parent / "notebook"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "params.yaml", folder)
    os.environ["SIDEBYSIDE_ROOT"] = os.environ["SIDEBYSIDE_HOME"] = str(folder)


def _name_what_is_elsewhere(app: Sphinx, name: str, source: list[str]) -> None:
    """Let what lies outside these pages be named, not linked: it is in the repository."""

    def named(link: re.Match[str]) -> str:
        target = Path(app.srcdir, link["target"].partition("#")[0])
        if not target.exists():
            _log.warning("%s links to %s, which isn't there", name, link["target"])
        return link["text"]

    source[0] = _ELSEWHERE.sub(named, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register what is done while pages are made."""
    app.connect("builder-inited", _notebooks_project)
    app.connect("source-read", _name_what_is_elsewhere)
    return {"parallel_read_safe": True}
