"""``sidebyside data``: data of one's own, described and looked at."""

from pathlib import Path

import click
import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sidebyside import paths
from sidebyside.cli.plans import completing
from sidebyside.cli.tables import print_table
from sidebyside.config.command_line.arguments import check_choosable
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check_dataset
from sidebyside.errors import UserError

_SHOWN = 5  # pairs of images that are nearly the same


@click.group("data", short_help="Add data of your own, and look at what is in a dataset.")
def command() -> None:
    """Add data of your own, and look at what is in a dataset."""


@command.command("add", epilog="example: sidebyside data add ~/photos --name photos")
@click.argument("place", metavar="PATH-or-URL")
@click.option("--name", required=True, help="what the dataset is called")
@click.option(
    "--test-fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="of a folder of images that has no train/ and test/",
)
def add(place: str, name: str, test_fraction: float) -> None:
    """Write conf/dataset/NAME.yaml for a folder of images, IDX files, a .npz or CIFAR's .tar.gz.

    A folder of images holds a folder of PNG or JPEG files for each class, or train/ and test/ with
    such folders.
    """
    from sidebyside.data.adding import describe

    check_choosable("--name", name)
    path = paths.root() / "conf" / "dataset" / f"{name}.yaml"
    if path.exists():
        raise UserError(f"{path} is there already: choose another --name, or delete it.")
    if (paths.library_conf() / "dataset" / path.name).is_file():
        raise UserError(f"dataset={name} is one of the library's: choose another --name.")
    described = describe(place, name, test_fraction)
    content = described.content
    text = _text(content)
    written = OmegaConf.create(text)
    assert isinstance(written, DictConfig)
    if unlike := [key for key in content if not _is_held(written, key, content[key])]:
        raise UserError(
            f"{place}: {', '.join(unlike)} can't be written to a config as they are: rename the "
            "folders or files whose names read as a number or hold a $."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    shape = "x".join(map(str, content["image_shape"]))
    print(
        f"{path}: {content['training_images']} training images of {shape}, "
        f"{content['classes']} classes. Look at it with: sidebyside data check {name}"
    )
    if described.absent:
        print(_absence(described.absent, content["classes"]))


def _absence(absent: list[int], classes: int) -> str:
    """Return what to make of labels that no training image has."""
    noun = "label" if len(absent) == 1 else "labels"
    return (
        f"No training image has the {noun} {', '.join(map(str, absent))}: labels count from 0, and "
        f"a network has an output for each of the {classes} classes. If yours begin at 1, take 1 "
        "from each, delete the config and add the data again."
    )


def _is_held(written: DictConfig, key: str, value: object) -> bool:
    """Whether a config that was read from its text holds a value as it is."""
    alone = OmegaConf.masked_copy(written, key)
    try:
        return OmegaConf.to_container(alone, resolve=True) == {key: value}
    except OmegaConfBaseException:  # an interpolation of what there isn't
        return False


def _text(content: dict[str, object]) -> str:
    head = "# Written by `sidebyside data add`; sizes and digests are those of the files as read.\n"
    return head + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)


@command.command("check")
@click.argument("name", shell_complete=completing.dataset)
@click.option(
    "--samples",
    type=click.Path(path_type=Path, dir_okay=False),
    help="a PNG of some images to write",
)
def check(name: str, samples: Path | None) -> None:
    """Say what is in the dataset NAME, and what is odd about it."""
    from sidebyside.data.checking import check_images

    dataset = check_dataset(compose_config([f"dataset={name}"]))
    checked = check_images(dataset)
    names = dataset.class_names or [str(label) for label in range(dataset.classes)]
    print_table(
        f"{name}: images of {'x'.join(map(str, checked.shape))} (height, width, channels)",
        [
            {"class": own, "training": f"{train:,}", "test": f"{test:,}"}
            for own, train, test in zip(names, *checked.counts.values(), strict=True)
        ],
    )
    print(f"{len(checked.leaked)} test images are among the training images, pixel by pixel.")
    near = ", ".join(f"{test} ({training})" for test, training in checked.near[:_SHOWN])
    more = " ..." if len(checked.near) > _SHOWN else ""
    listed = f": {near}{more}, the training image in brackets" if near else ""
    print(f"{len(checked.near)} more are nearly the same as one{listed}.")
    print(f"{checked.repeated} training images are there more than once.")
    print(f"{checked.contradicted} images are there with several labels.")
    if samples:
        from sidebyside.data.prepare import prepare
        from sidebyside.report.samples import draw_sample_grid

        columns = min(10, dataset.size)
        arrays = prepare(dataset, "channels_last")
        samples.parent.mkdir(parents=True, exist_ok=True)
        rows = min(4, dataset.size // columns)
        draw_sample_grid(arrays, "train", 0, rows, columns, samples, dataset.class_names)
        print(samples)
