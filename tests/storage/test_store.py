"""The run store: what is damaged is named and trained again, never trusted."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from sidebyside import UserError, train
from sidebyside import compose as compose_run
from sidebyside.config.validate import check
from sidebyside.files import read_json, write_json
from sidebyside.storage.store import CARD, DamagedError, adopt, copy, find, load
from support.projects import TINY, in_place


@pytest.fixture(scope="module")
def trained(project, tmp_path_factory):
    """The home of a finished run."""
    home = tmp_path_factory.mktemp("trained")
    with in_place(project, home):
        train(compose_run(*TINY))
    return home


@pytest.fixture
def run(home, trained):
    """A finished run, in a copy of its home."""
    shutil.copytree(trained, home, dirs_exist_ok=True)
    (card,) = (home / "runs").glob("*/run.json")
    return load(card.parent)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-9] ^= 4
    path.write_bytes(content)


def delete_half(run):
    for path in sorted(run.folder.iterdir())[::2]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


DAMAGES = {
    "a flipped byte in a run's weights": lambda run: flip(run.folder / "model.weights.h5"),
    "a run's history edited": lambda run: (run.folder / "history.json").write_text("{}"),
    "a run's folder half deleted": delete_half,
    "half of a run's card": lambda run: (run.folder / "run.json").write_text('{"key": "'),
}


def damaged(name):
    marker = pytest.mark.faults(
        fault=f"{name}",
        lost="that run, whose files are kept aside",
        repeated="that run",
        code=0,
        says="is damaged and will be trained again",
    )
    return pytest.param(DAMAGES[name], marks=marker, id=name)


@pytest.mark.parametrize("damage", [damaged(name) for name in DAMAGES])
def test_a_damaged_run_is_named_and_trained_again(compose, home, run, capsys, damage, fault):
    damage(run)
    with pytest.raises(DamagedError):
        load(run.folder)
    again = train(check(compose(*TINY)))
    assert again == run
    assert load(run.folder) == run
    assert f"run {run.key[:12]} {fault.says}" in capsys.readouterr().err
    assert len(list((home / "runs" / ".damaged").iterdir())) == 1


@pytest.mark.slow
def test_many_that_meet_a_damaged_run_at_once_all_go_on(home, run, capsys):
    flip(run.folder / "model.weights.h5")
    for _ in range(20):
        for copied in (home / "runs" / ".damaged").glob("*"):
            copied.rename(run.folder)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(find, [run.key] * 4)) == [None] * 4
        assert not run.folder.exists()
    assert capsys.readouterr().err.count("is damaged and will be trained again") == 20


def test_a_run_trained_again_is_the_same_files(compose, home, run, tmp_path):
    first = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    run.folder.rename(tmp_path / "first")
    train(check(compose(*TINY)))
    second = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    assert first.pop("timing.json") != second.pop("timing.json")
    assert first == second


def test_a_run_trained_anew_comes_out_the_same_and_the_stored_one_stays(
    compose, home, run, monkeypatch, capsys
):
    monkeypatch.setenv("SIDEBYSIDE_RETRAIN", "1")
    before = (run.folder / "timing.json").read_text()
    assert train(check(compose(*TINY))) == run
    assert "epoch 1/1" in capsys.readouterr().err
    assert (run.folder / "timing.json").read_text() == before


def test_a_run_trained_anew_that_comes_out_otherwise_is_refused(compose, home, run, monkeypatch):
    monkeypatch.setenv("SIDEBYSIDE_RETRAIN", "1")
    write_json(run.folder / CARD, read_json(run.folder / CARD) | {"weights_digest": "0" * 64})
    before = {path: path.read_bytes() for path in run.folder.iterdir() if path.is_file()}
    said = f"{run.key[:12]} was trained anew and has other weights: stored {'0' * 12}, now "
    with pytest.raises(UserError, match=said + run.weights_digest[:12]):
        train(check(compose(*TINY)))
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_a_run_that_cannot_be_stored_goes_on_from_its_checkpoint(
    home, project, monkeypatch, capsys
):
    def full(path, content):
        if path.name == CARD:
            raise OSError("No space left on device")
        write_json(path, content)

    config = compose_run(*TINY, "training.epochs=2")
    with monkeypatch.context() as patch:
        patch.setattr("sidebyside.storage.store.write_json", full)
        with pytest.raises(OSError, match="No space"):
            train(config)
    capsys.readouterr()
    train(config)
    assert "going on after epoch 1/2" in capsys.readouterr().err


def test_results_without_a_store_are_taken_into_it(home, run, tmp_path):
    copy(run, tmp_path / "results")
    run.folder.rename(tmp_path / "gone")
    assert find(run.key) is None
    adopted = adopt(load(tmp_path / "results"))
    assert adopted == run == find(run.key)
    assert adopted.folder == run.folder
