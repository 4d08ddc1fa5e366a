"""The artifacts of an MLflow server, as a place to share runs in."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from sidebyside.errors import UserError
from sidebyside.redaction import without_passwords
from sidebyside.storage.shared.interface import AbsentError

_FOLDER = "sidebyside-store"  # beside the folders of the experiments
_AT_A_TIME = 8  # listings of folders
_NOT_FOUND = 404


class Artifacts:
    """A folder that a server proxies, see `sidebyside.storage.shared.interface.Objects`.

    The server alone needs access to where it keeps artifacts. It has no conditional upload, so two
    that create the same file at once may both be told that they did.

    Parameters
    ----------
    uri : str or None
        Of the tracking server.
    """

    def __init__(self, uri: str | None) -> None:
        if uri is None or not uri.startswith(("http:", "https:")):
            raise UserError(
                "store.uri=mlflow needs an MLflow server: set tracking.uri or MLFLOW_TRACKING_URI "
                "to its address, http://host:5000 for instance."
            )
        self.address = f"artifacts of {without_passwords(uri)}"
        self.tells_one = False
        self._files = get_artifact_repository(f"mlflow-artifacts:/{_FOLDER}", tracking_uri=uri)

    def upload(self, path: Path, name: str) -> None:
        """Put a file there; one that is cut short has another size than its name says."""
        folder, _, own = name.rpartition("/")
        with TemporaryDirectory() as temporary:
            named = Path(temporary) / own  # as MLflow calls a file what it is called here
            named.symlink_to(path.resolve())
            self._files.log_artifact(str(named), folder)

    def download(self, name: str, path: Path) -> None:
        """Write a file's content to ``path``."""
        try:
            self._files._download_file(name, str(path))  # the public way asks three times
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code == _NOT_FOUND:
                raise AbsentError(name) from None
            raise

    def create(self, name: str, content: bytes) -> bool:
        """Put a small file there if none has that name."""
        try:
            self.read(name)
        except AbsentError:
            self.write(name, content)
            return True
        return False

    def write(self, name: str, content: bytes) -> None:
        """Put a small file there."""
        with TemporaryDirectory() as temporary:
            path = Path(temporary) / "content"
            path.write_bytes(content)
            self.upload(path, name)

    def read(self, name: str) -> bytes:
        """Return the content of a small file."""
        with TemporaryDirectory() as temporary:
            path = Path(temporary) / "content"
            self.download(name, path)
            return path.read_bytes()

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._files.delete_artifacts(name)

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of each file below a folder, by its full name."""
        with ThreadPoolExecutor(_AT_A_TIME) as threads:
            found = self._files.list_artifacts(folder)
            sizes: dict[str, int] = {}
            while found:
                sizes |= {file.path: file.file_size or 0 for file in found if not file.is_dir}
                below = [file.path for file in found if file.is_dir]
                found = list(chain.from_iterable(threads.map(self._files.list_artifacts, below)))
        return sizes
