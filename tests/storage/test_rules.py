"""Rules that a study was looked at by."""

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
