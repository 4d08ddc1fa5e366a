"""Passwords are hidden in configs, logs and errors, and all else stays."""

import logging

import pytest
from omegaconf import OmegaConf

from sidebyside.redaction import Formatter, passwords_hidden, save_config

URI = "postgresql://someone:pl4nted@host/db"
HIDDEN = "postgresql://someone:***@host/db"


def test_a_saved_config_keeps_all_but_passwords(tmp_path):
    config = OmegaConf.create(
        {"seed": 1, "uri": URI, "again": "${uri}", "list": [URI, 2], "api_key": "pl4nted"}
    )
    save_config(config, tmp_path / "new" / "config.yaml")
    saved = OmegaConf.to_container(OmegaConf.load(tmp_path / "new" / "config.yaml"))
    assert saved == {
        "seed": 1,
        "uri": HIDDEN,
        "again": "${uri}",
        "list": [HIDDEN, 2],
        "api_key": "***",
    }
    assert config.uri == URI


def test_an_error_passes_with_its_password_hidden():
    def connect() -> None:
        try:
            raise OSError(2, f"no answer from {URI}")
        except OSError as error:
            raise RuntimeError(f"can't open {URI}") from error

    with pytest.raises(RuntimeError) as raised, passwords_hidden():
        connect()
    assert str(raised.value) == f"can't open {HIDDEN}"
    assert raised.value.__cause__.args == (2, f"no answer from {HIDDEN}")


def test_a_log_line_and_its_traceback_hide_passwords():
    try:
        raise ValueError(f"token=pl4nted for {URI}")
    except ValueError as error:
        failed = (type(error), error, error.__traceback__)
    record = logging.LogRecord("it", logging.ERROR, __file__, 1, "to %s", (URI,), failed)
    line = Formatter("%(message)s").format(record)
    assert line.startswith(f"to {HIDDEN}")
    assert f"ValueError: token=*** for {HIDDEN}" in line
