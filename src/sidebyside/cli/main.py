"""The command ``sidebyside``: look, predict, export, compare, publish and verify."""

import argparse
import json
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidebyside import paths
from sidebyside.cli.stage import set_environment, user_errors_reported
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check, check_dataset, check_study, check_tracking
from sidebyside.errors import UserError
from sidebyside.storage import journal
from sidebyside.verify.outcome import MEANING

if TYPE_CHECKING:
    from sidebyside.data.arrays import ProcessedArrays
    from sidebyside.storage.store import Run
    from sidebyside.verify.outcome import Outcome

_FORMATS = ("keras", "h5", "savedmodel", "tflite")  # those of sidebyside.inference.export
_LOWER = ("bits", "predictions")  # rungs that train runs again
_OF_RUNGS = dict.fromkeys(("all", "runs", "count", "threads"), _LOWER) | {"seeds": ("claims",)}
_COUNT = 3  # runs to train again
_MODEL_HELP = (
    "a run key or its first six digits or more, an MLflow run id, or 'best' of the study, chosen "
    "by validation error (default: best)"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    set_environment(paths.root())
    with user_errors_reported():
        for what in ("study", "dataset"):
            if getattr(options, what, None):
                paths.checked_name(what, getattr(options, what))
        options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sidebyside", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_summary(commands)
    _add_samples(commands)
    _add_predict(commands)
    _add_export(commands)
    _add_compare(commands)
    _add_sync(commands)
    _add_verify(commands)
    return parser


def _add_summary(commands: Any) -> None:
    command = commands.add_parser(
        "summary",
        help="layers, output shapes and parameter counts of a network, with their formulas",
        epilog="example: sidebyside summary preset=simple_cnn_5x5",
    )
    command.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="as for pipelines/train.py"
    )
    command.set_defaults(run=_summary)


def _add_samples(commands: Any) -> None:
    command = commands.add_parser("samples", help="draw a grid of sample digits")
    command.add_argument("--rows", type=int, default=4)
    command.add_argument("--columns", type=int, default=10)
    command.add_argument("--dataset", help="default: the one that params.yaml selects")
    command.add_argument("--images", choices=["train", "test"], default="train")
    command.add_argument("--first", type=int, default=0, help="index of the first image, from 0")
    command.add_argument("--output", type=Path, default=Path("samples.png"), help="PNG to write")
    command.add_argument("--study", help="also make it an artifact of this study's parent run")
    command.set_defaults(run=_samples)


def _add_predict(commands: Any) -> None:
    command = commands.add_parser("predict", help="say which digits images show")
    command.add_argument("images", nargs="*", type=Path, help="PNG, JPEG or IDX files")
    command.add_argument(
        "--test-index", nargs="+", type=int, default=[], metavar="N", help="test images, from 0"
    )
    _add_model(command)
    command.add_argument(
        "--trust", action="store_true", help="open a .keras or .h5 file that nothing vouches for"
    )
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(run=_predict)


def _add_export(commands: Any) -> None:
    command = commands.add_parser("export", help="write a run's network in other file formats")
    _add_model(command)
    command.add_argument("--format", nargs="+", choices=_FORMATS, default=["keras"])
    command.add_argument("--output", type=Path, default=Path("exports"), help="folder")
    command.set_defaults(run=_export)


def _add_compare(commands: Any) -> None:
    command = commands.add_parser(
        "compare",
        help="hold two variants, two studies or two runs against each other",
        epilog="example: sidebyside compare kernel_size=3,dropout=true,optimizer=adam,"
        "data_format=channels_last kernel_size=5,dropout=true,optimizer=adam,"
        "data_format=channels_last",
    )
    command.add_argument("first", help="a variant's name, a study, a run key or an MLflow run id")
    command.add_argument("second", help="another one of the same kind")
    _add_selection(command)
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(run=_compare)


def _add_sync(commands: Any) -> None:
    command = commands.add_parser(
        "sync", help="publish a study's results to a tracking store, as after dvc pull"
    )
    _add_selection(command)
    command.add_argument(
        "--to", metavar="URI", help="default: MLFLOW_TRACKING_URI, else mlflow.db at home"
    )
    command.set_defaults(run=_sync)


def _add_verify(commands: Any) -> None:
    command = commands.add_parser(
        "verify",
        help="show that what a study found comes out again, from its bits to its claims",
        description=_ladder(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--rung", choices=list(MEANING), default="bits", help="which of them (default: bits)"
    )
    _add_selection(command)
    which = command.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", default=None, help="every run of the study")
    which.add_argument("--runs", nargs="+", metavar="KEY", help="these, by the start of their keys")
    which.add_argument("--count", type=int, help=f"so many by chance (default: {_COUNT})")
    command.add_argument("--threads", type=int, help="per run, instead of its own")
    command.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="fresh runs of each variant (default: as many as the study has)",
    )
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(run=_verify)


def _ladder() -> str:
    rungs = "\n".join(
        textwrap.fill(f"{rung}: {meaning}", 78, initial_indent="  ", subsequent_indent="    ")
        for rung, meaning in MEANING.items()
    )
    return (
        "A ladder of rungs, each of which shows something else:\n\n"
        f"{rungs}\n\n"
        "The exit code is 1 if something speaks against the rung asked for, else 0. A\n"
        "claim or figure on which too few runs can't tell is printed, but speaks\n"
        "against nothing. Each rung also says whether runs of the study were begun\n"
        "after a look at the test set.\n\n"
        "--all, --runs, --count and --threads are for bits and predictions, --seeds is\n"
        "for claims. Without --study and --dataset, the published rung takes\n"
        "study=published on mnist, the others what params.yaml selects."
    )


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", default="best", help=_MODEL_HELP)
    _add_selection(command)


def _add_selection(command: argparse.ArgumentParser) -> None:
    command.add_argument("--study", help="default: the one that params.yaml selects")
    command.add_argument("--dataset", help="default: the one that params.yaml selects")


def _summary(options: argparse.Namespace) -> None:
    from sidebyside.cli.tables import print_summary
    from sidebyside.config.summary import summarise

    config = check(compose_config(options.overrides))
    height, width = config.dataset.image_shape
    title = f"{config.model.name} on {height}x{width} images, {config.data_format}"
    print_summary(title, summarise(config))


def _samples(options: argparse.Namespace) -> None:
    from sidebyside.data.prepare import prepare
    from sidebyside.report.samples import draw_sample_grid

    config = compose_config([])
    dataset = _dataset(options, config)
    config = compose_config([f"dataset={dataset}"])
    arrays = prepare(check_dataset(config), "channels_last")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with journal.looking("samples"):
        draw_sample_grid(
            arrays, options.images, options.first, options.rows, options.columns, options.output
        )
    print(f"{options.rows}x{options.columns} {options.images} images: {options.output}")
    if options.study:
        _log_to_parent(options.study, dataset, config, options.output)


def _log_to_parent(study: str, dataset: str, config: Any, path: Path) -> None:
    from sidebyside.tracking.client import Tracker

    tracker = Tracker(check_tracking(config))
    tracker.prepare()
    parent = tracker.find_parent(study, dataset)
    if parent is None:
        raise UserError(
            f"study={study} on dataset={dataset} has no parent run in MLflow yet: run the study "
            "first."
        )
    tracker.log_file(parent, path)
    print(f"logged to MLflow's run {parent}")


def _predict(options: argparse.Namespace) -> None:
    from sidebyside.cli.tables import print_predictions
    from sidebyside.data.image_files import read_images
    from sidebyside.inference.predict import image_shape, of_test_set, predict
    from sidebyside.tracking.lookup import load_network, load_trusted

    if not options.images and not options.test_index:
        raise UserError("Nothing to predict: name image files, or test images with --test-index.")
    run = None if options.trust else _find(options)
    name = options.model if run is None else f"run {run.key[:12]}"
    network = load_trusted(Path(options.model)) if run is None else load_network(run)
    shape = image_shape(network)
    digits = [digit for path in options.images for digit in read_images(path, shape)]
    targets: list[int | None] = [None] * len(digits)
    if options.test_index:
        with journal.looking("predict", [run.key] if run else []):
            of_test, known = of_test_set(_arrays(options, run), options.test_index)
        digits, targets = [*digits, *of_test], [*targets, *known]
    predictions = predict(network, digits, targets)
    if options.json:
        found = [prediction.as_json() for prediction in predictions]
        print(json.dumps({"model": name, "predictions": found}, indent=2))
    else:
        print_predictions(name, predictions)


def _export(options: argparse.Namespace) -> None:
    from sidebyside.stderr import greetings_hidden
    from sidebyside.tracking.lookup import load_network

    with greetings_hidden():
        from sidebyside.inference.export import export

    run = _find(options)
    network, arrays = load_network(run), _arrays(options, run)
    with journal.looking("export", [run.key]):
        images = arrays.read("test_images")
    for path in export(network, images, run.key[:12], options.format, options.output):
        print(f"{path}: same labels as run {run.key[:12]} on {len(images)} test images")


def _compare(options: argparse.Namespace) -> None:
    from sidebyside.cli.tables import print_pairs
    from sidebyside.execution.compare_two import compare_two

    config = compose_config([])
    study = options.study or config.select.study
    dataset = check_dataset(compose_config([f"dataset={_dataset(options, config)}"]))
    names = {study} | {name for name in (options.first, options.second) if _is_study(name)}
    studies = {name: check_study(compose_config([f"study={name}"])) for name in names}
    pairs = compare_two(
        options.first, options.second, dataset, studies[study], studies, check_tracking(config)
    )
    if options.json:
        print(json.dumps([pair.as_json() for pair in pairs], indent=2))
    else:
        print_pairs(pairs)


def _sync(options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.progress import track

    from sidebyside.storage.results import read_train_results
    from sidebyside.tracking.sync import sync

    config = compose_config([])
    dataset, study = _dataset(options, config), options.study or config.select.study
    tracking = check_tracking(config)
    if options.to:
        tracking = replace(tracking, uri=options.to)
    total = len(read_train_results(dataset, study).trained)
    steps = sync(dataset, study, tracking)
    shown = track(steps, "publishing", total=total, console=Console(stderr=True))
    before = [synced.status for synced in shown]
    print(
        f"{total} runs of study={study} on dataset={dataset} are in the tracking store: "
        f"{before.count(None)} are new, {total - before.count(None) - before.count('FINISHED')} "
        f"were completed, {before.count('FINISHED')} were there."
    )


def _verify(options: argparse.Namespace) -> None:
    from sidebyside.cli.tables import print_outcome

    _check_rung_options(options)
    outcome = _climb(options)
    if options.json:
        print(json.dumps(outcome.as_json(), indent=2))
    else:
        print_outcome(outcome)
    if not outcome.passed:
        raise SystemExit(1)


def _check_rung_options(options: argparse.Namespace) -> None:
    for name, rungs in _OF_RUNGS.items():
        value = getattr(options, name)
        if value is not None and options.rung not in rungs:
            raise UserError(
                f"--{name} says nothing to --rung {options.rung}: leave it out, or choose --rung "
                f"{' or '.join(rungs)}."
            )
        if isinstance(value, int) and value < 1:
            raise UserError(f"--{name} {value} won't do: choose 1 or more.")


def _climb(options: argparse.Namespace) -> "Outcome":
    from sidebyside.verify.rungs import Chosen, verify_claims, verify_published, verify_runs

    selected = compose_config([]).select
    if options.rung == "published":
        selected = {"dataset": "mnist", "study": "published"}
    study = options.study or selected["study"]
    base = check(compose_config([f"dataset={options.dataset or selected['dataset']}"]))
    if options.rung in _LOWER:
        count = None if options.all else options.count or _COUNT
        chosen = Chosen(options.runs, count, options.threads)
        return verify_runs(options.rung, study, base, chosen)
    checked = check_study(compose_config([f"study={study}"]))
    if options.rung == "claims":
        return verify_claims(checked, base, options.seeds)
    return verify_published(checked, base)


def _is_study(name: str) -> bool:
    return name in {path.stem for path in (paths.root() / "conf" / "study").glob("*.yaml")}


def _find(options: argparse.Namespace) -> "Run":
    """Return the verified run that the options name."""
    from sidebyside.tracking.lookup import BEST, best_run, find_run

    config = compose_config([])
    if options.model == BEST:
        return best_run(_dataset(options, config), options.study or config.select.study)
    return find_run(options.model, check_tracking(config))


def _arrays(options: argparse.Namespace, run: "Run | None") -> "ProcessedArrays":
    """Return the dataset of a run, or the one that the options name."""
    from sidebyside.data.prepare import prepare

    dataset = run.recipe["dataset"] if run else _dataset(options, compose_config([]))
    checked = check_dataset(compose_config([f"dataset={dataset}"]))
    return prepare(checked, run.recipe["data_format"] if run else "channels_last")


def _dataset(options: argparse.Namespace, config: Any) -> str:
    return str(options.dataset or config.select.dataset)


if __name__ == "__main__":
    main()
