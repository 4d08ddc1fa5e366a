"""Test the networks of a study: python pipelines/evaluate.py study=factorial."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # this script's own code, also in a queued experiment

from omegaconf import DictConfig

from sidebyside.cli import stage


@stage.main(ROOT, reads=("dataset", "hydra.launcher", "store", "study", "tracking"))
def main(config: DictConfig) -> None:
    """Evaluate and publish every run of a study that has been trained."""
    from hydra.core.hydra_config import HydraConfig

    from sidebyside.cli.tables import print_failures
    from sidebyside.config.validate import (
        check_dataset,
        check_launcher,
        check_store,
        check_study,
        check_tracking,
    )
    from sidebyside.execution.evaluate_study import evaluate_study
    from sidebyside.execution.executors.chosen import executor_of
    from sidebyside.storage.results import load_study

    settings = HydraConfig.get()
    tracking, shared = check_tracking(config), check_store(config)
    executor = executor_of(check_launcher(settings.launcher), tracking, shared)
    dataset, folder = check_dataset(config), Path(settings.runtime.output_dir)
    results = load_study(dataset.name, check_study(config).name)
    names = dataset.class_names
    if failures := evaluate_study(results, tracking, executor, folder, shared, names):
        print_failures([run for run in results.trained if run.key in failures], failures)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
