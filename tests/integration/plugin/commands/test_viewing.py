"""`preview` on a terminal prints the pictures of a folder; `open` hands the browser a private file."""

from __future__ import annotations

import os
import pty
from pathlib import Path

from tests.support.photos import make_photo
from tests.support.plugin import PROGRAM, serving


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


def test_open_hides_the_address_from_other_users_who_read_the_browsers_arguments(tmp_path: Path) -> None:
    (tmp_path / "model.glb").write_bytes(b"glTF")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\ncp -p "${{1#file://}}" {tmp_path}/page\n')
    browser.chmod(0o755)

    with serving([str(PROGRAM), "open", str(tmp_path)], os.environ, str(browser)) as address:
        assert f'content="0;url={address}"' in (tmp_path / "page").read_text()

    assert (tmp_path / "page").stat().st_mode & 0o777 == 0o600
