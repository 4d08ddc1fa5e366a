"""Which code made a report, and where."""

import platform
import subprocess

from sidebyside import locations


def made_by() -> dict[str, str]:
    """Return commit, whether files differ from it, and machine; empty values where unknown."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "git commit": commit or "unknown",
        "uncommitted changes": "unknown" if commit is None else "yes" if changed else "no",
        "Python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _git(*arguments: str) -> str | None:
    """Return what git prints, None where there is no git or no repository."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(locations.root()), *arguments],  # noqa: S607 - whichever git is on the PATH
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
