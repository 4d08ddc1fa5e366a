"""Rules that a study was looked at by."""

from dataclasses import replace

import pytest

from sidebyside import UserError
from sidebyside.storage.evidence_files import read_evidence, write_evidence
from sidebyside.storage.rules import record_look, with_earlier

FIRST, SECOND = {"until": "decided", "max_seeds": 5}, {"until": "decided", "max_seeds": 8}


def test_a_rule_remembers_those_before(home):
    assert with_earlier("mnist", "s", FIRST) == FIRST
    record_look("mnist", "s", FIRST, ["a"])
    assert with_earlier("mnist", "s", FIRST) == FIRST
    record_look("mnist", "s", SECOND, ["a", "b"])
    assert with_earlier("mnist", "s", SECOND) == SECOND | {"before": [FIRST]}


def test_other_studies_have_rules_of_their_own(home):
    record_look("mnist", "s", FIRST, ["a"])
    assert with_earlier("mnist", "other", SECOND) == SECOND
    assert with_earlier("mnist5k", "s", SECOND) == SECOND


def test_evidence_of_a_rule_that_is_gone_is_refused_in_a_sentence(committed_factorial, tmp_path):
    path = tmp_path / "evidence.npz"
    write_evidence(path, replace(committed_factorial, stopping={"target_halfwidth": 0.1}))
    with pytest.raises(UserError, match="can't be read as evidence"):
        read_evidence(path)
    write_evidence(path, replace(committed_factorial, stopping=FIRST))
    assert read_evidence(path).stopping == FIRST
