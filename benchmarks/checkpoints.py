"""How much of a training on the full MNIST goes into checkpoints: docs/checkpoints.md.

SIDEBYSIDE_MIRROR=<folder with the four files> python benchmarks/checkpoints.py
"""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra import compose, initialize_config_dir

from sidebyside.config.validate import check
from sidebyside.data.arrays import training_arrays
from sidebyside.data.prepare import prepare
from sidebyside.engine.training.fit import State, fit
from sidebyside.engine.training.numerics import resolve
from sidebyside.storage.checkpoints import save_checkpoint

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 3
OPTIMIZERS = ("adam", "adadelta")


def share(optimizer: str) -> tuple[float, float]:
    """Return the seconds of a training and those of them that went into checkpoints."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        overrides = ["dataset=mnist", f"optimizer={optimizer}", f"training.epochs={EPOCHS}"]
        config = check(compose("config", overrides))
    arrays = prepare(config.dataset, config.data_format)
    spent = 0.0
    with TemporaryDirectory(dir=ROOT) as folder:

        def keep(state: State) -> None:
            nonlocal spent
            began = time.perf_counter()
            save_checkpoint(Path(folder) / "checkpoints", state, 0.0)
            spent += time.perf_counter() - began

        began = time.perf_counter()
        fit(config.recipe(), resolve("auto"), *training_arrays(arrays, config.protocol), keep)
        return time.perf_counter() - began, spent


def main() -> None:
    """Measure and write docs/checkpoints.md."""
    os.environ["SIDEBYSIDE_ROOT"] = str(ROOT)
    lines = [
        "# What checkpoints cost",
        "",
        "Written by:",
        "",
        "    python benchmarks/checkpoints.py",
        "",
        f"One run of the default network on the full MNIST, {EPOCHS} epochs, a checkpoint flushed",
        "to disk after each. Should be: less than 3 %.",
        "",
        "| Optimizer | Checkpoints, % of the training's time |",
        "|---|--:|",
    ]
    for optimizer in OPTIMIZERS:
        seconds, spent = share(optimizer)
        lines.append(f"| {optimizer} | {100 * spent / seconds:.2f} |")
        print(lines[-1], flush=True)
    (ROOT / "docs" / "checkpoints.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
