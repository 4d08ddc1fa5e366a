"""Train one run, or with -m many: python pipelines/train.py -m study=factorial."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # this script's own code, also in a queued experiment

from omegaconf import DictConfig

from sidebyside.cli import stage


@stage.main(ROOT)
def main(config: DictConfig) -> None:
    """Train the run of a config; a multirun is the sweeper's."""
    from sidebyside.cli.tables import print_run
    from sidebyside.config.validate import check
    from sidebyside.execution.train import train

    print_run(train(check(config)))


if __name__ == "__main__":
    main()
