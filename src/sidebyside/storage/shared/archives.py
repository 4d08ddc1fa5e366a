"""Files of a bundle as one archive, the same bytes for the same files."""

import io
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from sidebyside import paths

Content = Path | bytes


def pack(files: Mapping[str, Content], archive: Path) -> None:
    """Write files, by name, to an archive without owners and times."""
    with tarfile.open(archive, "w") as tar:
        for name in sorted(files):
            content, about = files[name], tarfile.TarInfo(name)
            if isinstance(content, bytes):
                about.size = len(content)
                tar.addfile(about, io.BytesIO(content))
            else:
                with content.open("rb") as file:
                    about.size = content.stat().st_size
                    tar.addfile(about, file)


def unpack(archive: Path, folder: Path) -> bool:
    """Write an archive's files to a folder; return False, and write none, where it holds others.

    That is anything but files with plain names, which could lead elsewhere.
    """
    try:
        with tarfile.open(archive, "r") as tar:
            members = tar.getmembers()
            if not all(member.isreg() and paths.is_name(member.name) for member in members):
                return False
            for member in members:
                _write(tar, member, folder / member.name)
    except tarfile.TarError:
        return False
    return True


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write a file's content; `TarFile.extract` has a safe filter from Python 3.11.4 on alone."""
    content = tar.extractfile(member)
    assert content is not None  # a regular file's
    with content, path.open("wb") as file:
        shutil.copyfileobj(content, file)
