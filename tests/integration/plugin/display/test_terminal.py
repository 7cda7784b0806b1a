"""`preview` on a terminal: the program queries its features, and prints accordingly."""

from __future__ import annotations

import os
import pty
import select
import time
from pathlib import Path

import pytest

from tests.support.photos import make_photo
from tests.support.plugin import KITTY, PROGRAM, XTERM

_DEADLINE_SECONDS = 60.0


def shown(answer: bytes, folder: Path, *, late_seconds: float = 0.0, **environment: str) -> bytes:
    """Return what `preview` prints on a terminal with this response to the query for its attributes."""
    child, master = pty.fork()
    if child == 0:
        os.environ.update({"TERM": "xterm", **environment})
        os.execv(PROGRAM, [str(PROGRAM), "preview", str(folder)])  # noqa: S606  # it needs its own terminal
    output, asked, deadline = b"", False, time.monotonic() + _DEADLINE_SECONDS
    try:
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.2)[0]:
                continue
            try:
                output += os.read(master, 1 << 16)
            except OSError:  # the program has ended
                break
            if not asked and b"\x1b[c" in output:
                asked = True
                time.sleep(late_seconds)  # as over a slow network
                os.write(master, answer)
    finally:
        os.close(master)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asked
    return output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "preview_0.png").write_bytes(make_photo("PNG", (40, 30)))
    return tmp_path


@pytest.mark.parametrize(
    ("answer", "begin"),
    [
        pytest.param(KITTY, b"\x1b_Ga=T,f=100", id="kitty's-protocol"),
        pytest.param(XTERM, b"\x1bPq", id="sixel"),
        pytest.param(b"\x1b[?1;2c", "▀".encode(), id="half-blocks"),
    ],
)
def test_preview_uses_the_best_protocol_of_the_terminal(answer: bytes, begin: bytes, folder: Path) -> None:
    output = shown(answer, folder)

    _, name, picture = output.partition(b"preview_0.png\r\n")
    assert name
    assert begin in picture
    assert sum(one in picture for one in (b"\x1b_Ga=T", b"\x1bPq", "▀".encode())) == 1


def test_a_late_response_over_a_slow_network_is_used(folder: Path) -> None:
    assert b"\x1bPq" in shown(XTERM, folder, late_seconds=0.6)


def test_tmux_gets_no_query_for_kitty_graphics(folder: Path) -> None:
    output = shown(b"\x1b[?1;2c", folder, TMUX="/tmp/tmux-0/default,1,0")  # as tmux sets it

    assert b"\x1b_G" not in output
