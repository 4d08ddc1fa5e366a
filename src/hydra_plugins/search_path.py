"""Hydra search path: params.yaml beside a project's conf/, and the configs of the library."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class LibrarySearchPath(SearchPathPlugin):
    """Lets a project's ``conf/`` hold its own files only; other Hydra apps are left alone."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the project's root and, after it, the configs that come with the code."""
        from sidebyside import paths

        main = [own.path for own in search_path.get_path() if own.provider == "main"]
        if not main or main[0].removeprefix("file://") != str(paths.conf()):
            return
        search_path.append("project", f"file://{paths.root()}")
        if paths.conf() != paths.library_conf():
            search_path.append("sidebyside", paths.library_address())
