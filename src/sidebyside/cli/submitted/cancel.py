"""``sidebyside cancel``."""

import click

from sidebyside.execution.submitted import drivers, records
from sidebyside.execution.submitted.states import again, status_of


@click.command("cancel")
@click.argument("name", metavar="ID")
def command(name: str) -> None:
    """Stop a launch of `sidebyside submit`, as Ctrl-C would: what is finished is kept."""
    submitted = records.find(name)
    if (status := status_of(submitted)).over:
        print(f"launch {submitted.id}: {status.state} already")
        return
    drivers.stop(submitted)
    print(f"launch {submitted.id} is stopped")
    print(again(submitted))
