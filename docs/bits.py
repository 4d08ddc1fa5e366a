"""Write what has been shown to have the same bits: python docs/bits.py > docs/bits.md.

The tables are the cases of the tests that show it.
"""

import sys
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.choices import BLOCKS, OWN_MODELS, TRAININGS  # noqa: E402

_INTRODUCTION = """# The same bits, whatever is chosen

Made from the cases of the tests by `python docs/bits.py > docs/bits.md`. Of each line, the weights
after every epoch are the same, bit for bit,

- trained alone, trained by a process that has trained another seed of the same network before,
  and continued after an epoch (`tests/engine/test_choices.py`; blocks in both data formats);
- in a sweep over all lines with one worker, and in one with two workers that is killed by SIGKILL
  in its middle and started again (`tests/execution/test_every_choice.py`).

That is tested on one machine. Between processors of a numeric class it was compared for fewer of
them ([numerics.md](numerics.md)); the others have the processor in their key.
The data formats IDX, `.npz`, CIFAR's binary archives and folders of images give the same arrays for
the same images, byte for byte (`tests/data/test_formats.py`), and so the same runs.
"""


def main() -> None:
    """Print the document."""
    print(_INTRODUCTION)
    for title, choices in (
        ("Blocks", BLOCKS),
        ("Schedules, augmentation and other choices of training", TRAININGS),
        ("Models of one's own", OWN_MODELS),
    ):
        rows = [(name, f"`{' '.join(choice)}`") for name, choice in choices.items()]
        print(f"## {title}\n\n{tabulate(rows, ('choice', 'config'), tablefmt='github')}\n")


if __name__ == "__main__":
    main()
