"""``sidebyside status``."""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click
from rich.console import Console

from sidebyside.cli.selection import json_option
from sidebyside.cli.tables import print_table
from sidebyside.errors import INTERRUPTED, UserError
from sidebyside.execution.running import launches
from sidebyside.execution.running.launches import Launch
from sidebyside.execution.running.states import State, state_of
from sidebyside.execution.running.view import View
from sidebyside.execution.submitted import records
from sidebyside.execution.submitted.records import Submitted
from sidebyside.execution.submitted.states import status_of

_LOOK_EVERY = 0.5  # seconds


@click.command(
    "status",
    epilog="examples: sidebyside status; sidebyside status --watch; sidebyside status 1f2e --json",
)
@click.argument("name", metavar="[ID]", required=False)
@click.option("--watch", is_flag=True, help="go on showing it, until the launch ends or Ctrl-C")
@json_option
def command(name: str | None, watch: bool, as_json: bool) -> None:
    """Tell how launches are doing, those that run in any terminal and those of `submit`.

    ID is that of one launch, of which the first digits are enough.
    """
    running = launches.running()
    if watch:
        _watch_until_interrupted(_one(running, name))
    elif as_json:
        print(json.dumps(_as_json(running, name), indent=2))
    elif name and not launches.named(running, name):
        submitted = records.find(name)
        _print_one(submitted)
        for launch in running:
            if _drives(launch, submitted):
                _print_running(launch)
    else:
        _print_all(launches.named(running, name) if name else running, with_submitted=not name)


def _print_all(running: Sequence[Launch], with_submitted: bool) -> None:
    for launch in running:
        print(f"launch {_id_of(launch)}: {launch.title}, {_where(launch)}")
        _print_running(launch)
    known = records.everything() if with_submitted else []
    if known:
        print_table("Submitted launches", [_row(submitted) for submitted in known])
    elif not running:
        print("Nothing runs at this home.")
        print("Nothing has been submitted at this home; `sidebyside submit --help` tells how.")


def _print_running(launch: Launch) -> None:
    state = state_of(launch)
    print(f"  {state.text()}, for {timedelta(seconds=round(state.seconds))}")
    for own in state.running:
        print(f"  epoch {own.done}/{own.epochs}  {own.key[:12]}  {own.name}")
    for name, why in state.failures.items():
        print(f"  failed  {name}: {why}")


def _watch_until_interrupted(launch: Launch) -> None:
    try:
        _watch(launch)
    except KeyboardInterrupt:
        print(f"\nLaunch {_id_of(launch)} goes on.", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


def _watch(launch: Launch) -> None:
    """Show a launch until it ends; a line whenever something changes where there is no terminal."""
    console, said, name = Console(), "", _id_of(launch)
    with View(console) if console.is_terminal else nullcontext() as view:
        while True:
            state = state_of(launch)
            if view is not None:
                view.show(state)
            elif (text := state.text()) != said:
                print(text, flush=True)
                said = text
            time.sleep(_LOOK_EVERY)
            if not (still := launches.named(launches.running(), launch.id)):
                break
            launch = still[0]
    print(f"launch {name} has ended; it was at {state.text()}", file=sys.stderr)


def _one(running: Sequence[Launch], name: str | None) -> Launch:
    """Return the launch to watch: the one that is named, else the newest that runs."""
    known = launches.named(running, name) if name else list(running)
    if not known and name:
        submitted = records.find(name)
        known = [launch for launch in running if _drives(launch, submitted)]
    if not known:
        raise UserError("Nothing runs at this home that could be watched.")
    return known[-1]


def _drives(launch: Launch, submitted: Submitted) -> bool:
    """Whether a launch that runs is one that was submitted."""
    return launch.process == records.process_of(submitted)


def _id_of(launch: Launch) -> str:
    """Return the id by which a launch that runs is known: the one that `submit` printed."""
    return (records.driven_by(launch) or launch).id


def _where(launch: Launch) -> str:
    return f"process {launch.process['process.id']} on {launch.process['process.host']}"


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


def _as_json(running: Sequence[Launch], name: str | None) -> list[dict[str, Any]]:
    """Return the submitted launches and those that run besides, one if it is named."""
    if name and (found := launches.named(running, name)):
        return [_running_as_json(launch) for launch in found]
    known = [records.find(name)] if name else records.everything()
    rows = [_submitted_as_json(submitted, running) for submitted in known]
    others = [own for own in running if not any(_drives(own, submitted) for submitted in known)]
    return rows + [_running_as_json(launch) for launch in others if not name]


def _submitted_as_json(submitted: Submitted, running: Sequence[Launch]) -> dict[str, Any]:
    progress, status = records.progress_of(submitted), status_of(submitted)
    counted = {"done": progress["done"], "runs": progress["runs"]}
    now = [_state_as_json(state_of(own)) for own in running if _drives(own, submitted)]
    told = {"log": str(submitted.log), "now": now[0] if now else None}
    return asdict(submitted) | asdict(status) | counted | told


def _running_as_json(launch: Launch) -> dict[str, Any]:
    state = state_of(launch)
    about = {"id": launch.id, "title": launch.title, "state": "running", "at": launch.began}
    counted = {"done": state.done, "runs": state.runs, "process": launch.process}
    return about | counted | {"now": _state_as_json(state)}


def _state_as_json(state: State) -> dict[str, Any]:
    return asdict(state) | {"left": state.left}


def _age(submitted: Submitted) -> str:
    return str(timedelta(seconds=round(time.time() - submitted.at)))
