"""``sidebyside report``: the page of a study, the index of all, and a browser that shows them."""

import json
import shutil
import sys

import pytest
from markupsafe import escape

from sidebyside.cli.main import main
from support.processes import run
from support.projects import SOURCE, copy_project

SMALL, OTHER = "mnist/published_split20", "mnist5k/factorial"
OF_SMALL = ("study=published_split20", "dataset=mnist")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with two committed reports, neither of which has a page."""
    project = copy_project(tmp_path_factory.mktemp("reported"))
    shutil.rmtree(project / "reports", ignore_errors=True)
    for report in (SMALL, OTHER):
        skipped = shutil.ignore_patterns("report.html", "costs.json")
        shutil.copytree(SOURCE / "reports" / report, project / "reports" / report, ignore=skipped)
    return project


@pytest.fixture
def command(project, monkeypatch, capsys):
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(project))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(project))

    def given(*arguments, code=0):
        if code:
            with pytest.raises(SystemExit) as ended:
                main(["report", *arguments])
            assert ended.value.code == code
        else:
            main(["report", *arguments])
        out, err = capsys.readouterr()
        return err if code else out

    return given


@pytest.mark.slow
def test_a_page_is_written_once_and_again_when_that_is_asked(project, command):
    page = project / "reports" / SMALL / "report.html"
    said = command(*OF_SMALL).splitlines()
    assert said[0] == "Writing the report of study=published_split20 on dataset=mnist ..."
    assert said[1:] == [str(page), f"{project / 'reports' / 'index.html'}: all reports"]
    before, text = page.stat().st_mtime_ns, page.read_bytes()
    assert command(*OF_SMALL).splitlines() == said[1:]
    assert page.stat().st_mtime_ns == before
    assert command(*OF_SMALL, "--again").splitlines() == said
    assert page.read_bytes() == text


@pytest.mark.slow
def test_the_index_lists_all_reports(project, command):
    command(*OF_SMALL)
    index = (project / "reports" / "index.html").read_text()
    for report in (SMALL, OTHER):
        found = json.loads((project / "reports" / report / "comparison.json").read_text())
        for sentence in found["statements"][:2]:
            assert f"<p>{escape(sentence.replace(',', ', '))}</p>" in index
        assert f'src="{report}/pictures/variants.svg"' in index
        assert (project / "reports" / report / "pictures" / "variants.svg").is_file()
    assert f'href="{SMALL}/report.html"' in index
    assert f'href="{OTHER}/report.html"' not in index
    assert "<code>sidebyside report study=factorial dataset=mnist5k</code>" in index
    assert "<script" not in index


@pytest.mark.slow
def test_a_page_is_opened_where_there_is_a_desktop(project, command, tmp_path):
    command(*OF_SMALL)
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    line = "from sidebyside.cli.main import main; main()"
    arguments = [sys.executable, "-c", line, "report", *OF_SMALL, "--open"]
    there = {"DISPLAY": ":0", "BROWSER": f"{browser} %s"}
    done = run(arguments, project, project, **there)
    assert done.returncode == 0, done.stderr
    assert opened.read_text() == (project / "reports" / SMALL / "report.html").as_uri()
    said = run(arguments, project, project, DISPLAY="", WAYLAND_DISPLAY="").stdout
    assert "There is no desktop here" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--all", "study=factorial"], "--all is of all reports: leave study=factorial out."),
        (["stdy=factorial"], "sidebyside report doesn't read stdy"),
        (["study=nosuch"], "study=nosuch is unknown"),
        (["dataset=../x"], "dataset=../x is no name: give one of letters"),
    ],
)
def test_a_mistake_gets_one_sentence(command, arguments, words):
    said = command(*arguments, code=2)
    assert said.startswith("error: ")
    assert words in said
    assert len(said.splitlines()) == 1
