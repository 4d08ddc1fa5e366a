"""Whether intervals and tests keep their word: a cut-down of `make coverage`."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FEW_STUDIES = 120  # in the normal run; all of them with -m simulation


def _benchmark():
    # By path: a module called "coverage" may be the well-known package's.
    path = ROOT / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_coverage", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)
        spec.loader.exec_module(module)
    return module


simulation = _benchmark()


@pytest.mark.slow
@pytest.mark.parametrize("design", [name for name in simulation.DESIGNS if "n=10" not in name])
def test_few_simulated_studies(design):
    rates = simulation.simulate(design, FEW_STUDIES)
    assert rates
    assert [rate for rate in rates if not rate.inside(errors=3.5)] == []


@pytest.mark.simulation
@pytest.mark.parametrize("design", simulation.DESIGNS)
def test_simulated_studies(design):
    rates = simulation.simulate(design, simulation.STUDIES)
    assert [rate for rate in rates if not rate.inside()] == []


def test_no_rate_of_the_document_is_outside():
    text = (ROOT / "docs" / "coverage.md").read_text()
    assert len(re.findall(r"^\| ", text, flags=re.M)) > 200
    assert "(outside)" not in text
