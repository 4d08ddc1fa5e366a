"""Fetch the dataset: python pipelines/download.py dataset=mnist."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # this script's own code, also in a queued experiment

from omegaconf import DictConfig

from sidebyside.cli import stage


@stage.main(ROOT, reads=("dataset",))
def main(config: DictConfig) -> None:
    """Fetch a dataset's files and verify them."""
    from sidebyside.config.validate import check_dataset
    from sidebyside.data.download import download

    dataset = check_dataset(config)
    print(f"{dataset.name}: {download(dataset)}")


if __name__ == "__main__":
    main()
