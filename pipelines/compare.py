"""Compare the variants of a study: python pipelines/compare.py study=factorial."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))  # this script's own code, also in a queued experiment

from omegaconf import DictConfig

from sidebyside.cli import stage


@stage.main(ROOT, reads=("allow_partial", "dataset", "study", "tracking"))
def main(config: DictConfig) -> None:
    """Write a study's report and print where it is."""
    from sidebyside.config.validate import (
        check_allow_partial,
        check_dataset,
        check_study,
        check_tracking,
    )
    from sidebyside.report.compare import compare_study
    from sidebyside.tracking.reports import publish_report

    dataset, study = check_dataset(config), check_study(config)
    comparison = compare_study(dataset, study, allow_partial=check_allow_partial(config))
    publish_report(comparison.folder, study.name, dataset.name, check_tracking(config))
    print(f"{len(comparison.variants)} variants, {len(comparison.runs)} runs: {comparison.folder}")


if __name__ == "__main__":
    main()
