"""``sidebyside status``."""

import json
import time
from dataclasses import asdict
from datetime import timedelta

import click

from sidebyside.cli.selection import json_option
from sidebyside.cli.tables import print_table
from sidebyside.execution.submitted import records
from sidebyside.execution.submitted.records import Submitted
from sidebyside.execution.submitted.states import status_of


@click.command("status")
@click.argument("name", metavar="[ID]", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """Tell how the launches of `sidebyside submit` are doing, all or one."""
    known = [records.find(name)] if name else records.everything()
    if as_json:
        print(json.dumps([_as_json(submitted) for submitted in known], indent=2))
    elif name:
        _print_one(known[0])
    elif known:
        print_table("Submitted launches", [_row(submitted) for submitted in known])
    else:
        print("Nothing has been submitted at this home; `sidebyside submit --help` tells how.")


def _print_one(submitted: Submitted) -> None:
    status = status_of(submitted)
    print(f"launch {submitted.id}: {submitted.title}, engine {submitted.engine}")
    text = records.progress_of(submitted)["text"]
    print(f"{status.state}, {text}, submitted {_age(submitted)} ago")
    print(f"log {submitted.log}")
    if status.advice:
        print(status.advice)


def _row(submitted: Submitted) -> dict[str, str]:
    progress = records.progress_of(submitted)
    return {
        "launch": submitted.id,
        "what": submitted.title,
        "engine": submitted.engine,
        "state": status_of(submitted).state,
        "runs": f"{progress['done']}/{progress['runs']}",
        "age": _age(submitted),
        "log": str(submitted.log),
    }


def _as_json(submitted: Submitted) -> dict[str, object]:
    progress, status = records.progress_of(submitted), status_of(submitted)
    counted = {"done": progress["done"], "runs": progress["runs"]}
    return asdict(submitted) | asdict(status) | counted | {"log": str(submitted.log)}


def _age(submitted: Submitted) -> str:
    return str(timedelta(seconds=round(time.time() - submitted.at)))
