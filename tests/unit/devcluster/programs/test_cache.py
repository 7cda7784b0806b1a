"""Cache of programs: the progress of filling it, on a terminal and in a log."""

import io

import pytest

from devcluster.programs import cache
from devcluster.programs.cache import Spinner, elapsed
from devcluster.waiting import wait_until


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.4, "0 s", id="nothing yet"),
        pytest.param(59.9, "59 s", id="below a minute"),
        pytest.param(187, "3 min 07 s", id="minutes"),
    ],
)
def test_elapsed_time_is_readable(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_a_log_gets_whole_lines_with_the_detail_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_LOG_SECONDS", 0.01)
    log = io.StringIO()
    with Spinner("Building", stream=log) as shown:
        shown.detail = "7 of 9 packages"
        wait_until(lambda: "7 of 9" in log.getvalue(), "a line with the detail", seen=log.getvalue)
    assert log.getvalue().startswith("Building ...\n")
    assert "Building: 0 s, 7 of 9 packages\n" in log.getvalue()
    assert log.getvalue().endswith("Building: done after 0 s\n")
    assert "\r" not in log.getvalue()


def test_terminal_gets_one_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_TERMINAL_SECONDS", 0.01)
    terminal = Terminal()
    with Spinner("Building", stream=terminal):
        wait_until(lambda: "/ Building: 0 s" in terminal.getvalue(), "a second frame", seen=terminal.getvalue)
    assert terminal.getvalue().count("\n") == 1


def test_failure_is_shown() -> None:
    log = io.StringIO()
    with pytest.raises(ValueError, match="no"), Spinner("Building", stream=log):
        raise ValueError("no")
    assert log.getvalue().endswith("Building: failed after 0 s\n")
