"""``sidebyside summary``."""

import click

from sidebyside.cli.plans import completing
from sidebyside.cli.tables import print_table
from sidebyside.config.compose import compose_config
from sidebyside.config.schema import Config
from sidebyside.config.validate import check
from sidebyside.engine.blocks import Instance
from sidebyside.engine.recipe import Network
from sidebyside.engine.summary import summarise
from sidebyside.stderr import greetings_hidden


@click.command(
    "summary",
    short_help="Print a network's layers, output shapes and parameter counts, with formulas.",
    epilog="example: sidebyside summary preset=simple_cnn_5x5",
)
@completing.overrides_argument
def command(overrides: tuple[str, ...]) -> None:
    """Print a network's layers with shapes, parameters and their formulas, and the totals.

    KEY=VALUE is as for pipelines/train.py.
    """
    config = check(compose_config(overrides))
    dataset = config.dataset
    if isinstance(config.model, Instance):
        return _print_own(config)
    layers = summarise(config.model, dataset.shape, dataset.classes, config.data_format)
    size = "x".join(map(str, dataset.image_shape))
    print_table(
        f"{config.model.name} on {size} images, {config.data_format}",
        [
            {
                "layer": layer.name,
                "type": layer.kind,
                "output shape": str(layer.shape),
                "from": layer.shape_formula,
                "parameters": f"{layer.parameters:,}",
                "by": layer.parameters_formula,
            }
            for layer in layers
        ],
    )
    total = sum(layer.parameters for layer in layers)
    trainable = sum(layer.trainable for layer in layers)
    print(f"Total parameters: {total:,}")
    print(f"Trainable: {trainable:,}, others: {total - trainable:,}")


def _print_own(config: Config) -> None:
    """Print what Keras says of a model of one's own."""
    with greetings_hidden():
        from sidebyside.engine.training.networks import build

        recipe, dataset = config.recipe(), config.dataset
        network = build(Network(recipe, dataset.shape, dataset.classes))  # looks for a GPU's driver
    network.summary()
