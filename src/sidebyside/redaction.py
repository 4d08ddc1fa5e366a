"""Passwords, hidden in everything that is written or printed."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf._utils import get_omega_conf_dumper

_HIDDEN = "***"
# Up to the last @ of the word: a password may hold one, and hiding too much is no harm.
_IN_ADDRESS = re.compile(r"(://[^:/@\s]*):\S*@")
_TOKEN = re.compile(r"(https?://)[^\s:/@]+@")  # a user without a password is a token
_BEARER = re.compile(r"\b(Bearer\s+)\S+", re.IGNORECASE)
_WORDS = r"(?<![A-Za-z0-9])(?:pass|passphrase|sig|signature|credentials?|auth|authorization)"
_SECRET = (  # the words alone: "sigma" and "author" are none
    r"(?:(?:password|passwd|pwd|secret|token|api_?key|access_?key)\w*"
    rf"|{_WORDS}(?![A-Za-z0-9_]))"
)
_BY_NAME = re.compile(rf"({_SECRET}=)[^\s&,;'\"]+", re.IGNORECASE)
_NAME = re.compile(_SECRET, re.IGNORECASE)


def without_passwords(text: str) -> str:
    """Return ``text`` with passwords and tokens of its URIs hidden, and what ``token=`` gives."""
    text = _TOKEN.sub(rf"\g<1>{_HIDDEN}@", _IN_ADDRESS.sub(rf"\g<1>:{_HIDDEN}@", text))
    return _BEARER.sub(rf"\g<1>{_HIDDEN}", _BY_NAME.sub(rf"\g<1>{_HIDDEN}", text))


class _Dumper(yaml.CSafeDumper):
    """Writes what OmegaConf's own does, thirty times as fast."""


_Dumper.add_representer(str, get_omega_conf_dumper().str_representer)  # type: ignore[arg-type]


def save_config(config: DictConfig | ListConfig, path: Path) -> None:
    """Write a config as YAML, interpolations as they are, passwords hidden."""
    save_content(OmegaConf.to_container(config, enum_to_str=True), path)


def save_content(content: Any, path: Path) -> None:
    """Write a config that is plain dicts and lists, as `save_config` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = _hidden(content)
    path.write_text(yaml.dump(hidden, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


@contextmanager
def passwords_hidden() -> Iterator[None]:
    """Hide passwords in the message of an exception that passes, and of what caused it."""
    try:
        yield
    except Exception as error:
        _hide_in(error)
        raise


class Formatter(logging.Formatter):
    """A log formatter that hides passwords, also those in a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return without_passwords(super().format(record))


def _hidden(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            key: _HIDDEN if isinstance(value, str) and _NAME.search(str(key)) else _hidden(value)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [_hidden(value) for value in content]
    return without_passwords(content) if isinstance(content, str) else content


def _hide_in(error: BaseException | None) -> None:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.args = tuple(_hidden(argument) for argument in error.args)
        error = error.__cause__ or error.__context__
