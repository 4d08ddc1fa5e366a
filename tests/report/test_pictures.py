"""Pictures: the same bytes for the same data, and light where networks are trained."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sidebyside.report.page.intervals import Row, interval_plot
from sidebyside.report.page.levels import Level, interaction_plots, level_plots
from sidebyside.report.page.matrix import Matrix
from sidebyside.report.page.plots import (
    Point,
    confusion_plot,
    cost_plot,
    curve_plots,
    errors_by_epoch,
)
from sidebyside.report.pictures.runs import draw_confusion, draw_samples

CURVES = {"training": np.array([[9.0, 2.0], [8.0, 0.0]])}
LEVELS = [Level("3", 2, 1.5, (1.2, 1.8), [1.4, 1.6]), Level("5", 2, 1.1, None, [1.1])]

PNG = {
    "confusion": lambda path: draw_confusion([[5, 1], [0, 7]], "a title", path),
    "confusion of names": lambda path: draw_confusion(
        [[5, 1], [0, 7]], "a title", path, ["T-shirt or top", "trouser"]
    ),
    "samples": lambda path: draw_samples(np.eye(28)[np.newaxis], ["7"], 1, 2, path),
}
SVG = {
    "intervals": lambda: interval_plot(
        [Row("a long label, " * 9, 0.1, seeds=(-4, 4), together=(0, 0.2), runs=[0.1])],
        "points",
        "over seeds",
        margin=0.1,
        zero=True,
    ),
    "levels": lambda: level_plots({"kernel": LEVELS}, "test error in %")["kernel"],
    "interactions": lambda: interaction_plots(
        [{"true": LEVELS, "false": LEVELS[:1]}], "test error in %"
    )[0],
    "curves": lambda: curve_plots({"a=1": CURVES})["a=1"],
    "confusion": lambda: confusion_plot(np.array([[0.0, 1.5], [-0.5, 0.0]]), ["cat", "dog"]),
    "cost": lambda: cost_plot(
        [Point(1, 10, 1.0, True), Point(2, 20, 2.0, False)], "seconds", "mean test error in %"
    ),
}


@pytest.mark.parametrize("name", PNG)
def test_a_picture_of_the_same_data_is_the_same_bytes(name, tmp_path):
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    PNG[name](first)
    PNG[name](second)
    assert first.read_bytes().startswith(b"\x89PNG")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", SVG)
def test_a_picture_of_the_page_is_the_same_text(name):
    assert SVG[name]().startswith("<?xml")
    assert SVG[name]() == SVG[name]()


def test_an_interval_beyond_the_axis_goes_on_and_labels_are_broken():
    svg = SVG["intervals"]()
    assert "goes on" in svg
    written = re.findall(r"<text[^>]*>([^<]*long[^<]*)</text>", svg)
    assert len(written) > 2
    assert max(map(len, written)) <= 50


def test_numbers_of_a_confusion_are_written_where_they_matter():
    written = re.findall(
        r">([+-][0-9.]+)<", confusion_plot(np.array([[7.3, 1.5], [0.04, -7.3]]), "01")
    )
    assert written == ["+1.5"]


def test_errors_by_epoch_leave_out_what_some_run_has_not(committed_factorial):
    runs = committed_factorial.runs[:2]
    errors = errors_by_epoch(runs)
    assert errors["training"].shape == errors["validation"].shape == (2, 5)
    assert errors["validation"][1, -1] == pytest.approx(
        100 * (1 - runs[1].history["val_accuracy"][-1])
    )
    unwatched = replace(runs[1], history={"accuracy": runs[1].history["accuracy"]})
    assert set(errors_by_epoch([runs[0], unwatched])) == {"training"}


def test_pictures_of_a_run_load_no_statistics():
    heavy = "{'pandas', 'scipy', 'statsmodels', 'sklearn', 'formulaic', 'tensorflow'}"
    check = (
        "import sys; from sidebyside.report.pictures.runs import draw_confusion; "
        f"import sidebyside.report.samples; sys.exit(str({heavy} & set(sys.modules) or ''))"
    )
    command = [sys.executable, "-c", check]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_long_name_of_a_factor_leaves_rows_their_room(rows):
    drawn = [Row("", 1.0, seeds=(0.5, 1.5), together=(0.4, 1.6))] * rows
    places = {}
    for name in ("model", "kernel_initializer", "a_factor_of_a_name_that_has_no_end"):
        matrix = Matrix([name], [["50"]] * rows, ["can't tell"] * rows)
        svg = interval_plot(drawn, "points", "over seeds", 0.1, zero=True, matrix=matrix)
        at = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>can', svg)]
        places[name] = np.diff(at).tolist()
        (height,) = re.findall(r'<svg [^>]*height="([\d.]+)pt"', svg)
        ticks = float(re.findall(r'y="([\d.]+)"[^>]*>points', svg)[0])
        assert at[-1] < ticks < float(height)
    assert len(places["model"]) == rows - 1
    for found in places.values():
        assert found == pytest.approx([0.19 * 72] * (rows - 1), abs=2)
