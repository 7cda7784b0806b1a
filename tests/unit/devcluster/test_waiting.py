"""Waiting: the error shows the actual state."""

import pytest

from devcluster.errors import NotReadyError
from devcluster.waiting import wait_until


def test_wait_returns_the_value_and_retries_a_refused_connection() -> None:
    answers = iter([None, ConnectionRefusedError(), "", "here"])

    def look() -> str | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert wait_until(look, "an answer") == "here"


def test_any_other_error_is_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, "an answer")


def test_timeout_reports_the_last_value() -> None:
    with pytest.raises(NotReadyError, match=r"an answer: not within 0 s; last seen: \[\]\nthe log"):
        wait_until(list, "an answer", timeout_seconds=0, seen=lambda: "the log")


def test_timeout_reports_the_last_error() -> None:
    def refused() -> bool:
        raise ConnectionRefusedError("no server there")

    with pytest.raises(NotReadyError, match="last seen: ConnectionRefusedError"):
        wait_until(refused, "an answer", timeout_seconds=0)
