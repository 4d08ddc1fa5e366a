"""Write what has been shown to have the same bits: python docs/bits.py > docs/bits.md.

The tables are the cases of the tests that show it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from sidebyside import compose  # noqa: E402
from sidebyside.engine.training.numerics import same_on_all  # noqa: E402
from support.choices import BLOCKS, OWN_MODELS, TRAININGS  # noqa: E402

_COLUMNS = ("choice", "config", "processor in the key")
_INTRODUCTION = """# The same bits, whatever is chosen

Made from the cases of the tests by `python docs/bits.py > docs/bits.md`. Of each line, the weights
after every epoch are the same, bit for bit,

- trained alone, trained by a process that has trained another seed of the same network before,
  and continued after an epoch (`tests/engine/test_choices.py`; blocks in both data formats);
- in a sweep over all lines with one worker, and in one with two workers that is killed by SIGKILL
  in its middle and started again (`tests/execution/test_every_choice.py`).

That is tested on one machine. Between processors of a numeric class the factorial's 16 variants
alone were compared: conv, pool, dropout and dense blocks with relu, Adam or Adadelta, one thread
([numerics.md](numerics.md)). Of the lines below none was. Where the last column says yes, the
processor is in the run's key, so another one trains anew. Where it says no (in class avx2 that is
so of channels_last alone), processors of a class share the key without having been compared;
`sidebyside verify bits`, on the other machine, tells whether they may.

The data formats IDX, `.npz`, CIFAR's binary archives and folders of images give the same arrays for
the same images, byte for byte (`tests/data/test_formats.py`), and so the same runs.
"""


def _in_key(choice: Sequence[str]) -> str:
    """Return whether a run's key has the processor: in class avx512, and in avx2 then too."""
    return "no" if same_on_all(compose(*choice).recipe(), "avx512") else "yes"


def main() -> None:
    """Print the document."""
    print(_INTRODUCTION)
    for title, choices in (
        ("Blocks", BLOCKS),
        ("Schedules, augmentation and other choices of training", TRAININGS),
        ("Models of one's own", OWN_MODELS),
    ):
        rows = [
            (name, f"`{' '.join(choice)}`", _in_key(choice)) for name, choice in choices.items()
        ]
        print(f"## {title}\n\n{tabulate(rows, _COLUMNS, tablefmt='github')}\n")


if __name__ == "__main__":
    main()
