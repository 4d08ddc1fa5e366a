"""Train two runs of each choice in one sweep: python every_choice.py WORKERS."""

import os
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir

from sidebyside.config.validate import check
from sidebyside.execution.executors.local import LocalExecutor
from sidebyside.execution.launch import launch
from support.choices import CHOICES

_USUAL = ("dataset=digits", "training.epochs=4", "training.batch_size=64", "evaluate=false")


def main() -> None:
    """Train them, with as many workers as are asked for."""
    root = Path(os.environ["SIDEBYSIDE_ROOT"])
    runs = []
    with initialize_config_dir(str(root / "conf"), version_base="1.3"):
        for name, choice in CHOICES.items():
            for seed in (0, 1):
                config = check(compose("config", overrides=[*_USUAL, *choice, f"seed={seed}"]))
                runs.append((config, {"choice": name, "seed": seed}))
    logs = Path(os.environ["SIDEBYSIDE_HOME"]) / "logs"
    launched = launch(runs, LocalExecutor(workers=int(sys.argv[1])), logs)
    if launched.failures:
        sys.exit(str(launched.failures))


if __name__ == "__main__":
    main()
