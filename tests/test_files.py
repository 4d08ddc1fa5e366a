"""Files and folders that appear whole or not at all."""

import hashlib
import os
import subprocess
import sys

import pytest

from sidebyside.files import (
    each_number,
    file_digest,
    read_json,
    remove,
    replaced,
    without_links,
    write_json,
    written_at_once,
)


@pytest.fixture
def filled(tmp_path):
    """A folder with one file."""
    folder = tmp_path / "filled"
    folder.mkdir()
    (folder / "old").write_text("old")
    return folder


def test_json_that_is_written_over_leaves_nothing_else(tmp_path):
    for content in ({"rate": 1e-07, "levels": [True, None, "3"]}, [0.1]):
        write_json(tmp_path / "it.json", content)
        assert read_json(tmp_path / "it.json") == content
    assert [path.name for path in tmp_path.iterdir()] == ["it.json"]


def test_json_that_cannot_be_written_leaves_the_old(tmp_path):
    write_json(tmp_path / "it.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "it.json", {"no JSON": object()})
    assert read_json(tmp_path / "it.json") == 1


def test_a_file_that_has_no_room_leaves_nothing_beside_it(tmp_path):
    def full():
        with written_at_once(tmp_path / "it") as unfinished:
            unfinished.write_text("half of it")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        full()
    assert not list(tmp_path.iterdir())


def test_a_text_is_utf_8_in_any_locale(tmp_path):
    program = (
        "import pathlib, sys; from sidebyside.files import write_text; "
        "write_text(pathlib.Path(sys.argv[1]), '9\\u202f000 \\u2013 \\u00fc')"
    )
    without = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    command = [sys.executable, "-c", program, str(tmp_path / "it.md")]
    subprocess.run(command, env=os.environ | without, check=True)
    assert (tmp_path / "it.md").read_bytes() == "9\u202f000 \u2013 \u00fc".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["it.md"]


def test_a_folder_is_replaced_as_a_whole(filled):
    with replaced(filled) as unfinished:
        (unfinished / "new").write_text("new")
        assert [path.name for path in filled.iterdir()] == ["old"]
    assert [path.name for path in filled.iterdir()] == ["new"]
    assert [path.name for path in filled.parent.iterdir()] == ["filled"]


def test_a_folder_stays_when_its_replacement_fails(filled):
    def fail_halfway() -> None:
        with replaced(filled) as unfinished:
            (unfinished / "half").write_text("")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert [path.name for path in filled.iterdir()] == ["old"]
    with replaced(filled) as unfinished:  # which begins without what the failure left
        assert list(unfinished.iterdir()) == []


def test_a_stop_while_the_old_is_removed_leaves_all_of_the_new(filled, monkeypatch):
    def stopped(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", stopped)
        with pytest.raises(KeyboardInterrupt), replaced(filled) as unfinished:
            (unfinished / "new").write_text("new")
    assert [path.name for path in filled.iterdir()] == ["new"]
    with replaced(filled):
        pass
    assert [path.name for path in filled.parent.iterdir()] == ["filled"]


def test_of_a_link_only_the_link_is_removed(filled, tmp_path):
    (tmp_path / "folder").mkdir()
    for link in (tmp_path / "link", tmp_path / "folder" / "link"):
        link.symlink_to(filled)
    remove(tmp_path / "link")
    without_links(tmp_path / "folder")
    remove(tmp_path / "missing")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["filled", "folder"]
    assert list((tmp_path / "folder").iterdir()) == []
    assert (filled / "old").read_text() == "old"


def test_a_digest_is_that_of_the_content(filled):
    assert file_digest(filled / "old") == hashlib.sha256(b"old").hexdigest()
    assert file_digest(filled / "missing") is file_digest(filled) is None


def test_floats_are_changed_and_nothing_else():
    content = {"a": [1, 1.26, True, None, "1.26"], "b": {"c": (2.0, 3.14)}}
    assert each_number(content, round) == {"a": [1, 1, True, None, "1.26"], "b": {"c": [2, 3]}}
