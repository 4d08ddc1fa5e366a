"""Draw how a study works: python docs/flow.py writes docs/flow.svg."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from sidebyside.report.page.style import PAGE_STYLE

INK, STAGE, STORE, ASKED = "#222222", "#dcebf7", "#f4ecd8", "#2a6f2a"
ASK = (  # who asks, for which stages
    ("dvc repro: the stages that something changed", 0, 4, 0.97),
    ("python pipelines/train.py -m ...: any grid", 0, 3, 0.35),
    ("python pipelines/compare.py", 4, 4, 0.35),
)
STAGES = (
    ("download", "files whose digest\nis in the config"),
    ("preprocess", "arrays, a part put\naside for validation"),
    ("train", "variants x seeds,\nin parallel"),
    ("evaluate", "the test set,\nopened once"),
    ("compare", "paired by seed\nand by image"),
)
WIDTH, HEIGHT, GAP = 2.0, 1.1, 0.45
ROW = 2.4  # height of the stages' lower edges


def box(
    axes: plt.Axes, x: float, y: float, width: float, colour: str, title: str, text: str
) -> None:
    """Draw a box with a bold first line."""
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, HEIGHT, boxstyle="round,pad=0,rounding_size=0.12", fc=colour, ec=INK
        )
    )
    middle = x + width / 2
    axes.text(middle, y + 0.82, title, ha="center", va="center", weight="bold", color=INK)
    axes.text(middle, y + 0.38, text, ha="center", va="center", size=8.5, color=INK)


def arrow(
    axes: plt.Axes, begin: tuple[float, float], end: tuple[float, float], style: str = "-|>"
) -> None:
    """Draw an arrow."""
    axes.add_patch(
        FancyArrowPatch(begin, end, arrowstyle=style, mutation_scale=12, color=INK, lw=1.1)
    )


def main() -> None:
    """Draw it."""
    # Letters as letters: as outlines they have numbers that differ between releases of the font.
    mpl.rcParams |= PAGE_STYLE | {"font.size": 10}
    figure, axes = plt.subplots(figsize=(12.2, 4.9))
    places = [number * (WIDTH + GAP) for number in range(len(STAGES))]
    for x, (title, text) in zip(places, STAGES, strict=True):
        box(axes, x, ROW, WIDTH, STAGE, title, text)
    for x in places[:-1]:
        arrow(axes, (x + WIDTH, ROW + HEIGHT / 2), (x + WIDTH + GAP, ROW + HEIGHT / 2))
    train, evaluate, compare = places[2], places[3], places[4]
    box(axes, train, 0.5, evaluate + WIDTH - train, STORE, "run store and MLflow", "")
    axes.text(
        (train + evaluate + WIDTH) / 2,
        0.88,
        "each run once, by the digest of all\nthat decides its result",
        ha="center",
        va="center",
        size=8.5,
    )
    box(axes, compare, 0.5, WIDTH, STORE, "report", "the page, its tables,\nand the evidence")
    for x in (train, evaluate):
        arrow(axes, (x + WIDTH / 2, ROW), (x + WIDTH / 2, 0.5 + HEIGHT), "<|-|>")
    arrow(axes, (compare + WIDTH / 2, ROW), (compare + WIDTH / 2, 0.5 + HEIGHT))
    for text, first, last, above in ASK:
        left, right, height = places[first], places[last] + WIDTH, ROW + HEIGHT + above
        axes.plot([left, right], [height, height], color=ASKED, lw=3, solid_capstyle="round")
        axes.text((left + right) / 2, height + 0.13, text, ha="center", size=9, color=INK)
    axes.set_xlim(-0.15, places[-1] + WIDTH + 0.15)
    axes.set_ylim(0.35, ROW + HEIGHT + 1.4)
    axes.axis("off")
    target = Path(__file__).with_name("flow.svg")
    figure.savefig(target, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
