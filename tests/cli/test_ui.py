"""The UI, really started: for this machine alone."""

import os
import shutil
import socket
from pathlib import Path

import mlflow
import pytest

from sidebyside.cli.main import main
from sidebyside.tracking.client import Tracker
from sidebyside.tracking.reports import publish_report
from support.browser import browsing, program
from support.projects import SOURCE, in_place
from support.stores import TRACKING, publish_study, report_of
from support.ui import Ui


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home; the UI needs no data."""
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def started(tmp_path_factory, empty_database):
    """A UI that answers, of a store with three runs of a study of two variants."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(empty_database, home)
    with in_place(SOURCE, home):
        study = publish_study(Tracker(TRACKING), {3: [6.0, 7.0], 5: [4.0]})
        publish_report(report_of(SOURCE), "factorial", "mnist5k", TRACKING)
    ui = Ui(SOURCE, home)
    ui.study = study
    try:
        ui.wait()
        yield ui
    finally:
        ui.process.terminate()
        ui.process.wait()


@pytest.mark.slow
def test_a_ui_is_for_this_machine_alone(started):
    assert f"http://127.0.0.1:{started.port} shows the runs" in started.log.read_text()
    assert started.get(f"127.0.0.1:{started.port}") == 200
    assert started.get("localhost:8080") == 200  # through a tunnel
    # Another site whose name was made to point here.
    assert started.get(f"evil.example.com:{started.port}") == 403
    assert started.get("localhost.evil.example.com") == 403
    assert started.post(f"localhost:{started.port}", "http://evil.example.com") == 403
    assert started.post(f"localhost:{started.port}", f"http://localhost:{started.port}") == 200
    assert listening(started.port) == {"0100007F"}  # 127.0.0.1, as /proc writes it


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if program() is None:
        pytest.skip("no Chromium on the PATH to show the UI: apt-get install chromium")
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def rows(browser):
    """Return what the table of runs shows: the names of the runs, from top to bottom."""
    cells = "document.querySelectorAll('[col-id=\"attributes.`Run Name`\"][role=gridcell]')"
    ordered = (
        f"[...{cells}].sort((a, b) => a.getBoundingClientRect().y - b.getBoundingClientRect().y)"
    )
    return browser.evaluate(f"{ordered}.map(cell => cell.innerText.split('\\n').pop())")


@pytest.mark.slow
def test_the_first_page_is_the_table_of_variants(started, browser):
    (link,) = [word for word in started.log.read_text().split() if "viewStateShareKey" in word]
    browser.open(link)
    browser.wait_for("2 matching runs", "rank", "verdict", "baseline", "can't tell")
    assert rows(browser) == ["5x5 drop adam last", "3x3 drop adam last"]  # by test error
    shown = browser.text()
    for column in ("test_error", "interval_low", "interval_high", "n", "sd"):
        assert column in shown.splitlines()
    for foreign in ("Assistant", "Judges", "Prompts", "Agent versions"):
        assert foreign not in shown
    browser.open(link.replace("factorial-mnist5k", "factorial-mnist5k-runs"))
    browser.wait_for("3 matching runs", "Group by: all_but_seed", "5x5 drop adam last s0")
    assert "seed" in browser.text().splitlines()


@pytest.mark.slow
def test_each_level_has_a_page_that_tells_it(started, browser):
    client = mlflow.MlflowClient(f"sqlite:///{started.log.parent / 'mlflow.db'}")
    run = client.search_runs(["1"], "tags.level = 'run'")[0]
    page = f"http://sidebyside.localhost:{started.port}/#/experiments/1/runs"
    browser.open(f"{page}/{started.study}?workflowType=machine_learning")
    browser.wait_for("The whole report", "Chosen by validation error", "best_test_error")
    browser.wait_for("5x5 drop adam last", "3x3 drop adam last")  # among the child runs
    table = browser.evaluate("document.querySelector('a[href*=viewStateShareKey]').href")
    browser.open(table)
    browser.wait_for("2 matching runs", "baseline")
    browser.open(f"{page}/{run.info.run_id}/model-metrics?workflowType=machine_learning")
    browser.wait_for("Model metrics\n(6)")
    for chart in ("loss", "accuracy", "val_loss", "val_accuracy"):
        browser.wait_for(f"{run.info.run_name} ({chart})")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_a_ui_opens_no_pickle_and_shows_no_store_on_its_command_line(started):
    process = Path("/proc") / str(started.process.pid)
    variables = process.joinpath("environ").read_bytes().split(b"\0")
    assert b"MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false" in variables
    assert b"sqlite:" not in process.joinpath("cmdline").read_bytes()


def listening(port):
    """Return the addresses that a port is open on."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {address for address, number in places if int(number, 16) == port}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "192.0.2.1x", "example.org", ""])
def test_a_host_that_others_reach_is_refused(home, monkeypatch, capsys, host):
    refused(monkeypatch, capsys, "--host", host, words="docs/security.md says how others reach it")


def test_a_store_with_a_ui_of_its_own_is_named(home, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://a:secret@h")
    refused(monkeypatch, capsys, words="=http://a:***@h has a UI of its own")


def refused(monkeypatch, capsys, *arguments, words):
    """Start a UI that ends with a sentence."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with pytest.raises(SystemExit) as ended:
        main(["ui", *arguments, "--port", "0"])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert said.out == ""


@pytest.mark.faults(
    fault="the UI's port already taken",
    lost="nothing",
    repeated="nothing",
    code=2,
    says="can't be used",
)
def test_a_port_that_is_taken_is_named(home, capsys, fault):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["ui", "--port", str(port)])
    assert ended.value.code == fault.code
    assert f"Port {port} of 127.0.0.1 {fault.says}" in capsys.readouterr().err
