"""The report of many variants: the ends, what was asked about, and the rest folded."""

import csv
from dataclasses import replace

import pytest

from sidebyside import paths
from sidebyside.config.compose import compose_config
from sidebyside.config.schema import Study
from sidebyside.config.validate import check_dataset
from sidebyside.report.compare import compare_study
from sidebyside.storage.evidence_files import write_evidence
from support.generated import FACTORS, evidence
from support.projects import in_place

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def many():
    """A generated study of two hundred variants."""
    return evidence(FACTORS[200], seeds=3, images=300)


@pytest.fixture(scope="module")
def names(many):
    """Its variants, the best first."""
    means = {run.variant: 0.0 for run in many.runs}
    for run in many.runs:
        means[run.variant] += many.value(run)
    return sorted(means, key=lambda name: means[name])


@pytest.fixture(scope="module")
def comparison(many, names, project, tmp_path_factory):
    """Its report, with a baseline and a pair from the middle."""
    with in_place(project, tmp_path_factory.mktemp("home")):
        dataset = replace(check_dataset(compose_config([])), name=many.dataset)
        folder = paths.reports(many.dataset, many.study)
        folder.mkdir(parents=True)
        write_evidence(folder / "evidence.npz", many)
        study = Study(name=many.study, baseline=names[100], pairs=[[names[80], names[120]]])
        return compare_study(dataset, study)


def test_the_ends_and_what_was_asked_are_shown(comparison, names):
    page = (comparison.folder / "report.html").read_text()
    text = (comparison.folder / "comparison.md").read_text()
    shown = {*names[:10], *names[-10:], names[100], names[80], names[120]}
    chosen = comparison.content["selection"]["chosen"]
    (table,) = [part for part in text.split("\n\n") if "| test error % " in part]
    assert len(table.splitlines()) - 2 == len(shown | {chosen})
    for name in names[20:80]:
        assert (name.replace(",", ", ") in text) == (name == chosen)
    assert "Of 200 variants" in page
    assert "Of 200 variants" in text
    assert f"| {names[80].replace(',', ', ')} " in text
    assert '<b class="chip" data-variant="101">' in page  # the baseline, by its place among all
    assert '<b class="chip" data-variant="151">' not in page.partition('id="gallery"')[0]


def test_all_of_them_are_in_the_tables_beside_it(comparison, names):
    with (comparison.folder / "runs.csv").open() as file:
        assert {row["variant"] for row in csv.DictReader(file)} == set(names)
    assert {variant["name"] for variant in comparison.content["variants"]} == set(names)


def test_tests_are_as_many_as_are_asked(comparison):
    asked = comparison.content["asked"]
    assert len(comparison.content["pairs"]) == (
        asked["baseline"] + asked["named"] + asked["neighbours"]
    )
    assert (asked["baseline"], asked["named"]) == (199, 1)
    assert 190 <= asked["neighbours"] <= 199
    (told,) = [own for own in comparison.statements if "pairs of 200 variants" in own]
    assert "the 200 that were asked about are corrected for 200 tests" in told
    assert "that the runs have chosen are corrected for 19\N{NARROW NO-BREAK SPACE}900" in told


def test_a_page_of_many_variants_opens(comparison):
    text = (comparison.folder / "report.html").read_text()
    assert len(text) < 3_000_000
    assert text.rstrip().endswith("</html>")
