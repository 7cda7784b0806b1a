"""`preview` on a terminal: the program prints the pictures of a folder."""

from __future__ import annotations

import os
import pty
from pathlib import Path

from tests.support.photos import make_photo
from tests.support.plugin import PROGRAM


def test_preview_prints_the_pictures_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "preview_0.png").write_bytes(make_photo("PNG", (40, 30)))
    child, master = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.execv(PROGRAM, [str(PROGRAM), "preview", str(tmp_path)])  # noqa: S606  # it needs its own terminal
    output = b""
    try:
        while chunk := os.read(master, 1 << 16):
            output += chunk
    except OSError:  # the program has ended
        pass
    finally:
        os.close(master)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert (status, b"preview_0.png\r\n" in output, "▀".encode() in output) == (0, True, True)
