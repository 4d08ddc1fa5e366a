"""Make the arrays: python pipelines/preprocess.py dataset=mnist data_format=channels_first."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # this script's own code, also in a queued experiment

from omegaconf import DictConfig

from sidebyside.cli import stage


@stage.main(ROOT, reads=("data_format", "dataset"))
def main(config: DictConfig) -> None:
    """Write a dataset's arrays in one data format and print their shapes."""
    from sidebyside.config.validate import check_data_format, check_dataset
    from sidebyside.data.prepare import preprocess

    arrays = preprocess(check_dataset(config), check_data_format(config))
    for name, shapes in arrays.shapes.items():
        print(f"{name}: {tuple(shapes['before'])} -> {tuple(shapes['after'])}")


if __name__ == "__main__":
    main()
