"""Fetch a dataset's files from the first source that serves the right bytes."""

import hashlib
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
from filelock import FileLock
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)
from urllib3.exceptions import HTTPError

from sidebyside import paths
from sidebyside.config.datasets import Dataset, File
from sidebyside.data import bundled
from sidebyside.data.arrays import file_digest
from sidebyside.data.image_folders import pack
from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords

MIRROR_VARIABLE = "SIDEBYSIDE_MIRROR"
_ADDRESSES = ("http://", "https://")

_CHUNK = 1 << 18
_ATTEMPTS = 4
_TIMEOUT = (10, 30)  # seconds to connect, seconds between two packets
_GZIP = 16 + zlib.MAX_WBITS
_Report = Callable[[int], None]  # takes the decompressed bytes so far


class _UnservedError(Exception):
    """A source doesn't serve a file; the message is the reason."""


class _TransientError(Exception):
    """A source may serve the file when asked again."""


def download(dataset: Dataset) -> Path:
    """Make sure that all files of ``dataset`` are there, decompressed and verified.

    Sources are tried in order: the run store's home, the folder or URL named by
    ``SIDEBYSIDE_MIRROR``, then the dataset's own. A file that is already there with the right
    digest isn't fetched again.

    Returns
    -------
    pathlib.Path
        The folder of the files.

    Raises
    ------
    UserError
        If no source serves the right bytes of a file, or the folder can't be written.
    """
    folder = paths.raw(dataset.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{dataset.name}.lock")), _progress() as progress:
            for role, file in dataset.files.items():
                if file_digest(folder / file.name) != file.sha256:
                    task = progress.add_task(file.name, total=file.bytes)
                    content = _fetch(dataset, role, file, _reporter(progress, task))
                    _write(folder / file.name, content)
    except OSError as error:
        raise UserError(
            f"Can't write dataset={dataset.name} to {folder}: {error.strerror}. Make room or "
            "change the permissions there."
        ) from None
    return folder


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    return Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not sys.stderr.isatty()
    )


def _reporter(progress: Progress, task: TaskID) -> _Report:
    return lambda completed: progress.update(task, completed=completed)


def _fetch(dataset: Dataset, role: str, file: File, report: _Report) -> bytes:
    reasons = []
    for source in _sources(dataset):
        try:
            content = _read(source, dataset, role, file, report)
        except _UnservedError as reason:
            reasons.append(f"{without_passwords(source)}: {reason}")
            continue
        digest = hashlib.sha256(content).hexdigest()
        if digest == file.sha256:
            return content
        reasons.append(
            f"{without_passwords(source)}: serves wrong bytes, SHA-256 {digest[:12]}... instead "
            f"of {file.sha256[:12]}..."
        )
        print(f"warning: {file.name}: {reasons[-1]}; skipped", file=sys.stderr)
    raise UserError(
        f"No source serves {file.name} of dataset={dataset.name}:\n  "
        + "\n  ".join(reasons)
        + f"\nSet {MIRROR_VARIABLE} to a folder or URL that holds {_served(file)}, or choose "
        "dataset=mnist5k, which needs no network."
    )


def _sources(dataset: Dataset) -> Iterator[str]:
    # Files of several datasets have the same names, so in a mirror a dataset's folder comes first.
    shared = paths.home() / "data" / "raw" / dataset.name
    if shared != paths.raw(dataset.name) and shared.is_dir():
        yield str(shared)
    if mirror := os.environ.get(MIRROR_VARIABLE):
        if not mirror.startswith(_ADDRESSES):
            yield str(Path(mirror) / dataset.name)
        yield mirror
    yield from dataset.sources


def _served(file: File) -> str:
    """Return the name of a file where it is served: compressed, unless its name has an ending."""
    return file.name if Path(file.name).suffix else f"{file.name}.gz"


def _read(source: str, dataset: Dataset, role: str, file: File, report: _Report) -> bytes:
    kind, _, rest = source.partition(":")
    if kind == "package":
        try:
            return bundled.read(rest, role)
        except (ImportError, LookupError) as error:
            raise _UnservedError(str(error)) from None
    if kind == "images":
        try:
            return pack(Path(rest).expanduser(), dataset.test_fraction).content
        except UserError as error:
            raise _UnservedError(str(error)) from None
    if source.startswith(_ADDRESSES):
        base = source.rstrip("/")
        urls = [f"{base}/{_served(file)}"]
        if source == os.environ.get(MIRROR_VARIABLE):
            urls.insert(0, f"{base}/{dataset.name}/{_served(file)}")
        return _first(urls, lambda url: _transfer(url, file, report))
    names = [_served(file), file.name]
    return _first(
        [str(Path(source).expanduser() / name) for name in names],
        lambda path: _read_local(Path(path), file, report),
    )


def _first(places: list[str], read: Callable[[str], bytes]) -> bytes:
    """Return what the first of ``places`` has; the reason of the last one otherwise."""
    for place in places[:-1]:
        try:
            return read(place)
        except FileNotFoundError:
            continue
    try:
        return read(places[-1])
    except FileNotFoundError:
        raise _UnservedError(f"has no {Path(places[0]).name}") from None


def _read_local(path: Path, file: File, report: _Report) -> bytes:
    try:
        with path.open("rb") as stream:
            chunks = iter(lambda: stream.read(_CHUNK), b"")
            if path.name == file.name:
                return stream.read(file.bytes + 1)
            return _decompress(_capped(chunks, file), file, report)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _UnservedError(error.strerror or str(error)) from None


def _transfer(url: str, file: File, report: _Report) -> bytes:
    """Return the decompressed file, asking again while the source is only busy."""
    attempts = Retrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential(multiplier=0.5, max=10) + wait_random(0, 1),
        retry=retry_if_exception_type(_TransientError),
        reraise=True,
    )
    try:
        return attempts(_transfer_once, url, file, report)
    except _TransientError as error:
        raise _UnservedError(f"{error}, {_ATTEMPTS} attempts") from None


def _transfer_once(url: str, file: File, report: _Report) -> bytes:
    try:
        # The file itself is compressed; a second compression on the way would only confuse.
        plain = {"Accept-Encoding": "identity"}
        with requests.get(url, stream=True, timeout=_TIMEOUT, headers=plain) as response:
            status = f"answers {response.status_code} {response.reason}"
            if response.status_code == requests.codes.not_found:
                raise FileNotFoundError(url)
            if response.status_code >= 500 or response.status_code == 429:
                raise _TransientError(status)
            if not response.ok:
                raise _UnservedError(status)
            chunks = response.raw.stream(_CHUNK, decode_content=False)
            if _served(file) == file.name:
                return _collected(_capped(chunks, file), file, report)
            return _decompress(_capped(chunks, file), file, report)
    except requests.RequestException as error:
        raise _TransientError(_reason(error)) from None
    except HTTPError as error:
        raise _TransientError(f"broke off ({type(error).__name__})") from None


def _capped(chunks: Iterator[bytes], file: File) -> Iterator[bytes]:
    # gzip adds at most 5 bytes in 16 KiB to what it can't compress, and a header with a name.
    cap, received = file.bytes + file.bytes // 1000 + 4096, 0
    for chunk in chunks:
        received += len(chunk)
        if received > cap:
            raise _UnservedError(f"serves more than the {cap} bytes that {_served(file)} can have")
        yield chunk


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "can't be reached"
    return f"broke off ({type(error).__name__})"


def _collected(chunks: Iterator[bytes], file: File, report: _Report) -> bytes:
    """Return a file that stays as it is served."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        report(len(content))
    if len(content) < file.bytes:
        raise _UnservedError(f"is truncated after {len(content)} of {file.bytes} bytes")
    return bytes(content)


def _decompress(chunks: Iterator[bytes], file: File, report: _Report) -> bytes:
    """Return the content, stopping as soon as it is larger than it may be."""
    inflate = zlib.decompressobj(wbits=_GZIP)
    content = bytearray()
    try:
        for chunk in chunks:
            content += inflate.decompress(chunk, file.bytes + 1 - len(content))
            report(len(content))
            if len(content) > file.bytes:
                raise _UnservedError(f"decompresses to more than the {file.bytes} bytes expected")
    except zlib.error:
        raise _UnservedError("sends no gzip file, or a corrupted one") from None
    if not inflate.eof:
        raise _UnservedError(f"is truncated after {len(content)} of {file.bytes} bytes")
    return bytes(content)


def _write(path: Path, content: bytes) -> None:
    """Put the file in place in one step, so that a kill never leaves half of it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
