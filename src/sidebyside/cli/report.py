"""``sidebyside report``."""

import os
import sys
import webbrowser
from pathlib import Path

import click

from sidebyside import paths
from sidebyside.cli.plans import completing
from sidebyside.cli.selection import selected
from sidebyside.config.command_line.arguments import check_arguments
from sidebyside.config.compose import compose_config
from sidebyside.errors import UserError

_EVIDENCE = "evidence.npz"
_READ = ("allow_partial", "dataset", "study")
_OWN = ("study", "dataset")  # what is chosen without changing what a report says


@click.command(
    "report",
    short_help="Write a study's report as a page, and the index of all reports; open it.",
    epilog="example: sidebyside report study=factorial dataset=mnist --open",
)
@completing.overrides_argument
@click.option("--open", "opened", is_flag=True, help="show it in a browser")
@click.option("--again", is_flag=True, help="write it although it is there")
@click.option("--all", "every", is_flag=True, help="all reports; what is opened is their index")
def command(overrides: tuple[str, ...], opened: bool, again: bool, every: bool) -> None:
    """Write a study's report as a page, and the index of all reports.

    KEY=VALUE is as for pipelines/compare.py, which logs to MLflow too; without any it is the study
    that params.yaml selects. A page that is there and no older than its evidence is left as it is.
    """
    if every and overrides:
        raise UserError(f"--all is of all reports: leave {' '.join(overrides)} out.")
    pages = _all_pages(again) if every else [_page(overrides, again)]
    from sidebyside.report.page.index import write_index

    index = write_index(paths.root() / "reports")
    for page in pages:
        print(page)
    print(f"{index}: all reports")
    if opened:
        _open(index if every else pages[0])


def _page(overrides: tuple[str, ...], again: bool) -> Path:
    """Return the page of a study, written where that is needed."""
    named = dict(override.partition("=")[::2] for override in overrides)
    if empty := [key for key in _OWN if named.get(key) == ""]:
        raise UserError(f"{empty[0]}= names none: write {empty[0]}=<its name>, or leave it out.")
    study, dataset = selected(named.get("study"), named.get("dataset"))
    chosen = [own for own in (f"study={study}", f"dataset={dataset}") if own not in overrides]
    check_arguments([*chosen, *overrides], "sidebyside report", _READ)
    page = paths.reports(dataset, study) / "report.html"
    if again or set(named) - set(_OWN) or not _current(page):
        config = compose_config([f"study={study}", f"dataset={dataset}", *overrides])
        print(f"Writing the report of study={study} on dataset={dataset} ...", flush=True)
        from sidebyside.config.validate import check_allow_partial, check_dataset, check_study
        from sidebyside.report.compare import compare_study

        compare_study(check_dataset(config), check_study(config), check_allow_partial(config))
    return page


def _current(page: Path) -> bool:
    evidence = page.with_name(_EVIDENCE)
    if not page.is_file() or not evidence.is_file():
        return False
    return page.stat().st_mtime >= evidence.stat().st_mtime


def _all_pages(again: bool) -> list[Path]:
    """Return the pages of all reports; one that can't be written keeps none from the others."""
    pages = []
    for evidence in sorted((paths.root() / "reports").glob(f"*/*/{_EVIDENCE}")):
        dataset, study = evidence.parts[-3:-1]
        try:
            pages.append(_page((f"study={study}", f"dataset={dataset}"), again))
        except UserError as error:
            print(
                f"warning: no page of study={study} on dataset={dataset}: {error}", file=sys.stderr
            )
    return pages


def _open(page: Path) -> None:
    """Show a page where there is a desktop."""
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        print("There is no desktop here to open it on: copy that file to where there is one.")
    elif not webbrowser.open(page.resolve().as_uri()):
        print("No browser was found to open it.")
