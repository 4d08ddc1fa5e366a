"""Test the networks of a study: python pipelines/evaluate.py study=factorial."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # this script's own code, also in a queued experiment

from omegaconf import DictConfig

from sidebyside.cli import stage


@stage.main(ROOT)
def main(config: DictConfig) -> None:
    """Evaluate and publish every run of a study that has been trained."""
    from hydra.core.hydra_config import HydraConfig

    from sidebyside.config.validate import check_launcher
    from sidebyside.execution.evaluate_study import evaluate_study

    settings = HydraConfig.get()
    workers = check_launcher(settings.launcher).get("workers")
    evaluate_study(config, workers, settings.runtime.output_dir)


if __name__ == "__main__":
    main()
