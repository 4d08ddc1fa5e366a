"""Which code made a report, and where."""

import platform
import subprocess

from sidebyside import paths

# What decides a report; its own files are new by nature.
_DECIDING = ("conf", "pipelines", "src", "params.yaml", "pyproject.toml", "requirements.lock")


def made_by() -> dict[str, str]:
    """Return commit, whether what decides a report differs from it, and machine.

    A file that git doesn't know counts as a change: it is in no commit. What can't be asked is
    "unknown".
    """
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", *_DECIDING)
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
            ["git", "-C", str(paths.root()), *arguments],  # noqa: S607 - whichever git is on the PATH
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
