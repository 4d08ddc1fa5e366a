"""``sidebyside compare``."""

import json

import click

from sidebyside import paths
from sidebyside.cli.selection import json_option, selected, study_options
from sidebyside.cli.tables import print_table
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check_dataset, check_study, check_tracking


@click.command(
    "compare",
    epilog="example: sidebyside compare kernel_size=3,dropout=true,optimizer=adam,"
    "data_format=channels_last kernel_size=5,dropout=true,optimizer=adam,"
    "data_format=channels_last",
)
@click.argument("first")
@click.argument("second")
@study_options
@json_option
def command(first: str, second: str, study: str | None, dataset: str | None, as_json: bool) -> None:
    """Hold two variants, two studies or two runs against each other.

    FIRST and SECOND are variants' names, studies, run keys or MLflow run ids, both of one kind.
    """
    from sidebyside.execution.compare_two import compare_two
    from sidebyside.report.text.findings import of_pair
    from sidebyside.report.text.scale import Scale
    from sidebyside.report.text.sections import pair_rows

    study, dataset = selected(study, dataset)
    names = {study, *set(paths.conf_names("study")).intersection([first, second])}
    studies = {name: check_study(compose_config([f"study={name}"])) for name in names}
    config = compose_config([f"dataset={dataset}"])
    pairs = compare_two(
        first, second, check_dataset(config), studies[study], studies, check_tracking(config)
    )
    if as_json:
        print(json.dumps([pair.as_json() for pair in pairs], indent=2))
        return
    scale = Scale(pairs[0].metric)
    rows = pair_rows([pair.as_json() for pair in pairs], scale=scale)
    print_table(f"{scale.title}, first minus second", rows)
    for pair in pairs:
        print(f"{of_pair(pair.as_json(), scale)}.")
        if pair.mcnemar_p is not None:
            print(f"One network against one: McNemar's p over images is {pair.mcnemar_p:.2g}.")
