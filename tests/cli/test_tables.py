"""Tables on the terminal."""

import pytest

from sidebyside.cli.tables import print_failures, print_side_by_side, print_table
from sidebyside.config.validate import check
from sidebyside.execution.evaluate import evaluate
from sidebyside.execution.train import train
from sidebyside.storage.results import StudyRun

NETWORK = ("model=mlp", "model.dropout=null", "model.blocks=[{type:flatten}]")


def cells(printed):
    """Return the cells of all rows below the heads."""
    lines = [line for line in printed.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_cells_are_as_their_columns_want_them(capsys):
    rows = [
        {"name": "a [red]", "n": 3, "sd": None, "error": 1.005, "test loss": 0.12345},
        {"name": "b", "n": 12, "sd": 0.5, "error": 12.0, "test loss": 2.0},
    ]
    print_table("Some", rows)
    said = capsys.readouterr().out
    assert said.startswith("Some")
    assert cells(said) == [
        ["a [red]", "3", "-", "1.00", "0.1235"],
        ["b", "12", "0.50", "12.00", "2.0000"],
    ]
    assert "│  3 │" in said


def test_failures_are_told_without_passwords(capsys):
    run = StudyRun("0123456789abcdef", "optimizer=adam", {"optimizer": "adam"}, 0)
    errors = {run.key: OSError("no answer from http://a:secret@h/\nmore"), "f": ValueError()}
    print_failures([run, StudyRun("f", "", {}, 1)], errors)
    said = capsys.readouterr().out
    assert cells(said) == [
        ["0123456789ab", "optimizer=adam", "0", "OSError: no answer from http://a:***@h/"],
        ["f", "", "1", "ValueError"],
    ]


@pytest.fixture
def studied(compose):
    """A function that trains a run of one epoch, and returns it as a study knows it."""

    def made(protocol, rate, seed):
        overrides = (f"protocol={protocol}", f"optimizer.learning_rate={rate}", f"seed={seed}")
        run = train(check(compose(*NETWORK, "training.epochs=1", *overrides)))
        factors = {"learning_rate": rate}
        return StudyRun(run.key, f"learning_rate={rate}", factors, seed), evaluate(run)

    return made


@pytest.mark.slow
def test_runs_and_variants_are_sorted_by_error(studied, capsys):
    runs = [studied("clean", *choice) for choice in ((1e-9, 0), (0.01, 0), (1e-9, 1))]
    print_side_by_side([run for run, _ in runs])
    said = capsys.readouterr().out
    by_run, by_variant = said.split("Variants by mean test error")
    errors = sorted(evaluation.test_error for _, evaluation in runs)
    assert [row[2] for row in cells(by_run)] == [f"{error:.2f}" for error in errors]
    assert [row[0] for row in cells(by_run)] == ["0.01", "1e-09", "1e-09"]
    (best, worst) = cells(by_variant)
    assert best[:4] == ["0.01", "1", f"{errors[0]:.2f}", "-"]
    assert worst[:3] == ["1e-09", "2", f"{sum(errors[1:]) / 2:.2f}"]
    assert float(worst[3]) == pytest.approx(abs(errors[1] - errors[2]) / 2**0.5, abs=0.005)
    assert "protocol" not in said


@pytest.mark.slow
def test_several_protocols_are_told(studied, capsys):
    print_side_by_side([studied(name, 0.01, 0)[0] for name in ("clean", "test_as_validation")])
    said = capsys.readouterr().out
    assert {row[0] for row in cells(said)} == {"clean", "test_as_validation"}


def test_no_runs_print_nothing(capsys):
    print_side_by_side([])
    assert capsys.readouterr().out == ""
