"""``sidebyside summary``."""

import click

from sidebyside.cli.tables import print_table
from sidebyside.config.compose import compose_config
from sidebyside.config.validate import check
from sidebyside.engine.summary import summarise


@click.command(
    "summary",
    short_help="Print a network's layers, output shapes and parameter counts, with formulas.",
    epilog="example: sidebyside summary preset=simple_cnn_5x5",
)
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
def command(overrides: tuple[str, ...]) -> None:
    """Print a network's layers with shapes, parameters and their formulas, and the totals.

    KEY=VALUE is as for pipelines/train.py.
    """
    config = check(compose_config(overrides))
    height, width = config.dataset.image_shape
    layers = summarise(config.model, (height, width), config.dataset.classes, config.data_format)
    print_table(
        f"{config.model.name} on {height}x{width} images, {config.data_format}",
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
