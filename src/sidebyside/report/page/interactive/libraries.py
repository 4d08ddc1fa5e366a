"""The libraries that a page carries in itself, so that it needs no network."""

from functools import cache
from importlib.resources import files


@cache
def vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one module that sets ``window.vegaEmbed``.

    The versions are those that vl-convert brings, so a page is the same bytes wherever the lock
    is installed. Bundling takes two seconds, once a process.
    """
    import vl_convert

    newest = vl_convert.get_vegalite_versions()[-1]
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=newest)


@cache
def datatables() -> tuple[str, str]:
    """Return DataTables, with its extensions, as a module and as a style sheet."""
    folder = files("itables") / "html"
    return (folder / "dt_bundle.js").read_text(), (folder / "dt_bundle.css").read_text()
