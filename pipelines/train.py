"""Train one run, or with -m many: python pipelines/train.py -m study=factorial."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # this script's own code, also in a queued experiment

from omegaconf import DictConfig

from sidebyside.cli import stage


@stage.main(ROOT)
def main(config: DictConfig) -> None:
    """Train the run of a config; a multirun calls this in a worker for each of its runs."""
    from sidebyside.execution.train import report, train

    run = train(config)
    if config.launch is None:
        report(run)


if __name__ == "__main__":
    main()
