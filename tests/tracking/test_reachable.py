"""Whether a tracking store answers, and what is said of one that doesn't."""

import socket

import pytest
import requests
from sqlalchemy.exc import OperationalError

from sidebyside.tracking.reachable import check_reachable, first_line, reason_of


def test_a_database_that_can_be_opened_is_reachable(tmp_path):
    check_reachable(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_database_in_no_folder_is_not(tmp_path):
    with pytest.raises(OperationalError) as caught:
        check_reachable(f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}")
    assert "unable to open database file" in reason_of(caught.value)
    assert "\n" not in reason_of(caught.value)


def test_of_a_server_that_is_not_there_the_errors_name_is_said():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else answers there
        with pytest.raises(requests.ConnectionError) as caught:
            check_reachable(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert reason_of(caught.value) == "ConnectionError"


def test_an_error_without_words_has_no_reason():
    assert first_line(ValueError()) == "no reason given"
