"""``sidebyside sync``."""

from dataclasses import replace

import click

from sidebyside.cli.selection import selected, study_options
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check_dataset, check_tracking
from sidebyside.errors import UserError


@click.command("sync")
@study_options
@click.option(
    "--to", "uri", metavar="URI", help="default: MLFLOW_TRACKING_URI, else mlflow.db at home"
)
def command(study: str | None, dataset: str | None, uri: str | None) -> None:
    """Publish a study's results to a tracking store, as after dvc pull."""
    from rich.console import Console
    from rich.progress import track

    from sidebyside.storage.results import load_study
    from sidebyside.tracking.sync import sync

    study, dataset = selected(study, dataset)
    config = compose_config([f"dataset={dataset}"])
    tracking = check_tracking(config)
    if uri == "":
        raise UserError("--to is empty: give the store's address, or leave it out for your own.")
    if uri is not None:
        tracking = replace(tracking, uri=uri)
    total = len(load_study(dataset, study).trained)
    steps = sync(check_dataset(config), study, tracking)
    shown = track(steps, "publishing", total=total, console=Console(stderr=True))
    before = [synced.status for synced in shown]
    print(
        f"{total} runs of study={study} on dataset={dataset} are in the tracking store: "
        f"{before.count(None)} are new, {total - before.count(None) - before.count('FINISHED')} "
        f"were completed, {before.count('FINISHED')} were there."
    )
