"""Options that several commands share."""

import click
import pytest
import yaml
from click.testing import CliRunner

from sidebyside.cli.selection import SeveralValues, selected, study_options
from sidebyside.errors import UserError
from support.projects import SOURCE


@click.command(cls=SeveralValues)
@click.option("--runs", multiple=True)
@click.option("--rows", type=int, default=1)
@click.argument("paths", nargs=-1)
def echo(runs, rows, paths):
    click.echo(f"{runs} {rows} {paths}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--runs", "a", "b", "c"], "('a', 'b', 'c') 1 ()"),
        (["--runs", "a", "b", "--rows", "2", "--runs", "c"], "('a', 'b', 'c') 2 ()"),
        (["--rows", "2", "x", "y"], "() 2 ('x', 'y')"),  # it takes one value, as ever
        (["x", "--runs", "a"], "('a',) 1 ('x',)"),
        ([], "() 1 ()"),
    ],
)
def test_an_option_that_can_be_repeated_takes_several_values(arguments, said):
    assert CliRunner().invoke(echo, arguments).output == f"{said}\n"


def test_what_is_not_given_is_what_params_yaml_selects():
    select = yaml.safe_load((SOURCE / "params.yaml").read_text())["select"]
    assert selected("mine", None) == ("mine", select["dataset"])
    assert selected(None, "digits") == (select["study"], "digits")


@click.command()
@study_options
def study_named(study, dataset):
    click.echo(f"{study} {dataset}")


def test_a_name_that_leads_elsewhere_is_refused():
    assert CliRunner().invoke(study_named, ["--study", "tiny"]).output == "tiny None\n"
    refused = CliRunner().invoke(study_named, ["--study", "../tiny"]).exception
    assert isinstance(refused, UserError)
    assert "study=../tiny is no name" in str(refused)
