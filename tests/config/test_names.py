"""Names and links can't lead out of a folder: refused in a sentence, or replaced."""

import gzip
import json
import os

import pytest

from sidebyside import UserError, paths
from sidebyside.cli.main import main
from sidebyside.config.compose import check_choices
from sidebyside.config.validate import check, check_dataset, check_study
from sidebyside.data.download import download
from sidebyside.data.preprocessing import idx
from sidebyside.files import move_into_place
from sidebyside.storage import store
from sidebyside.storage.results import load_study
from sidebyside.storage.store import DamagedError

OUTSIDE = ["../../x", "/etc/passwd", "..", ".hidden", "a/b", "a\nb", ""]


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", ".."])
@pytest.mark.parametrize("key", ["study.name", "dataset.name", "dataset.files.train_images.name"])
def test_a_config_with_such_a_name_is_refused(compose, key, name):
    config = compose("study=factorial")
    node, _, last = key.rpartition(".")
    parent = config
    for part in node.split("."):
        parent = parent[part]
    parent[last] = name
    with pytest.raises(UserError) as refused:
        check(config)
    for words in (f"{key}={json.dumps(name)} won't do", "A-Za-z0-9", "Change it"):
        assert words in str(refused.value)
    for group, look in (("dataset", check_dataset), ("study", check_study)):
        if key.startswith(group):
            with pytest.raises(UserError, match="won't do"):
                look(config)


@pytest.mark.parametrize("argument", ["study=../../x", "+study=/etc/x", "dataset='../x'"])
def test_a_choice_outside_conf_is_refused(home, argument):
    with pytest.raises(UserError, match=r"is unknown.* Known are "):
        check_choices([argument])


@pytest.mark.parametrize("command", ["predict", "verify", "compare", "samples", "export", "sync"])
@pytest.mark.parametrize("option", ["study", "dataset"])
def test_a_command_with_such_a_name_is_refused(home, capsys, command, option):
    more = {"predict": ["--test-index", "0"], "compare": ["a=1", "a=2"], "verify": ["bits"]}
    with pytest.raises(SystemExit) as ended:
        main([command, *more.get(command, []), f"--{option}", "../../x"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {option}=../../x is no name: give one of letters")
    assert said.count("\n") == 1
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_folder_is_called_like_that(home, name):
    for folder in (
        lambda: paths.raw(name),
        lambda: paths.processed("d", name),
        lambda: paths.results("d", name, "train"),
        lambda: paths.reports(name, "s"),
        lambda: paths.run(name),
        lambda: paths.unfinished_run(name),
    ):
        with pytest.raises(UserError, match="is no name"):
            folder()


@pytest.fixture
def outside(tmp_path):
    """A folder outside the project with a file that has to stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious").write_text("mine")
    yield folder
    assert [path.name for path in folder.iterdir()] == ["precious"]
    assert (folder / "precious").read_text() == "mine"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty project that is its own home."""
    root = tmp_path / "workspace"
    root.mkdir()
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(root))
    monkeypatch.setenv("SIDEBYSIDE_HOME", str(root))
    return root


def linked(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("data/raw/d", lambda: paths.raw("d")),
        ("data/processed/d", lambda: paths.processed("d", "channels_last")),
        ("results/d", lambda: paths.results("d", "s", "train")),
        ("reports/d/s", lambda: paths.reports("d", "s")),
        ("runs/k", lambda: store.find("k")),
        ("runs/.unfinished/k", lambda: store.begin("k")),
    ],
)
def test_a_linked_folder_is_refused(workspace, outside, place, folder):
    linked(workspace / place, outside)
    with pytest.raises(UserError, match=r"leads out of .* remove the link"):
        folder()


def test_what_is_on_another_disk_as_a_whole_is_accepted(workspace, tmp_path):
    for name in ("data", "runs", "reports"):
        (tmp_path / "disk" / name).mkdir(parents=True)
        linked(workspace / name, tmp_path / "disk" / name)
    assert paths.raw("d") == workspace / "data" / "raw" / "d"
    assert store.begin("k").is_dir()
    assert paths.reports("d", "s") == workspace / "reports" / "d" / "s"


def test_a_download_replaces_links(project, outside, compose, tmp_path, monkeypatch):
    dataset = check_dataset(compose("dataset=mnist5k"))
    workspace = tmp_path / "workspace"
    monkeypatch.setenv("SIDEBYSIDE_ROOT", str(workspace))
    (tmp_path / "mirror").mkdir()
    raw = project / "data" / "raw" / "mnist5k"
    for path in raw.iterdir():
        (tmp_path / "mirror" / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        linked(workspace / "data" / "raw" / "mnist5k" / path.name, outside / "precious")
    monkeypatch.setenv("SIDEBYSIDE_MIRROR", str(tmp_path / "mirror"))
    folder = download(dataset)
    assert not any(path.is_symlink() for path in folder.iterdir())
    labels = (folder / dataset.files["test_labels"].name).read_bytes()
    assert len(idx.parse(labels, "labels", 1)) == 1000


def test_an_unfinished_run_begins_without_links(workspace, outside):
    folder = store.begin("k")
    linked(folder / store.CHECKPOINTS, outside)
    linked(folder / "config.json", outside / "precious")
    assert list(store.begin("k").iterdir()) == []


def test_what_is_moved_into_place_replaces_a_link(workspace, outside):
    (workspace / "new").mkdir()
    (workspace / "new" / "file").write_text("new")
    link = linked(workspace / "runs" / "k" / "evaluation", outside)
    move_into_place(workspace / "new", link)
    assert not link.is_symlink()
    assert (link / "file").read_text() == "new"


@pytest.mark.parametrize(
    "card",
    [
        {"key": "k", "files": {"../../precious": "0"}},
        {"key": "k", "files": {"/etc/passwd": "0"}},
        {"key": "../k", "files": {}},
    ],
)
def test_a_card_that_names_files_elsewhere_is_damaged(workspace, card):
    folder = workspace / "runs" / "k"
    folder.mkdir(parents=True)
    (folder / store.CARD).write_text(json.dumps(card))
    with pytest.raises(DamagedError, match="in another folder"):
        store.load(folder)


def test_results_that_name_runs_elsewhere_are_refused(workspace):
    folder = paths.results("d", "s", "train")
    os.makedirs(folder)
    run = {"key": "../../../x", "variant": "a=1", "factors": {"a": 1}, "seed": 0}
    content = {"dataset": "d", "study": "s", "runs": [run], "missing": [], "stopping": None}
    (folder / "study.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="holds no results"):
        load_study("d", "s")
