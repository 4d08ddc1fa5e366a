"""Hydra search path: params.yaml beside a project's conf/, and the configs of the library."""

from hydra._internal.core_plugins import file_config_source
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.search_path_plugin import SearchPathPlugin

_PARAMETERS = "params.yaml"
_SCHEME = "project"
_Names = list[str]


class LibrarySearchPath(SearchPathPlugin):
    """Lets a project's ``conf/`` hold its own files only; other Hydra apps are left alone."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the project's params.yaml and, after it, the configs that come with the code."""
        from sidebyside import paths

        main = [own.path for own in search_path.get_path() if own.provider == "main"]
        if not main or main[0].removeprefix("file://") != str(paths.conf()):
            return
        search_path.append("project", f"{_SCHEME}://{paths.root()}")
        if paths.conf() != paths.library_conf():
            search_path.append("sidebyside", paths.library_address())


# The class above it is named by its module: Hydra registers whatever class this one has.
class ProjectSource(file_config_source.FileConfigSource):
    """The params.yaml in a project's folder, and nothing else there.

    ``--help`` lists all configs that it finds, and would look for them in all of .venv/, data/ and
    runs/.
    """

    @staticmethod
    def scheme() -> str:
        """Return how addresses of such folders begin."""
        return _SCHEME

    def is_group(self, config_path: str) -> bool:
        """Whether configs may lie there: in the folder itself."""
        return not config_path

    def is_config(self, config_path: str) -> bool:
        """Whether it is the one file."""
        is_it: bool = self._normalize_file_name(config_path) == _PARAMETERS
        return is_it and super().is_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> _Names:
        """Return the name of the one file."""
        found: _Names = []
        self._list_add_result(found, _PARAMETERS, _PARAMETERS, results_filter)
        return found
