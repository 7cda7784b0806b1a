"""k9s in a separate terminal: keys in, screens out.

The terminal is tmux with a separate server, which reads no settings of the user. k9s gets a home folder with nothing but
our files.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from devcluster.errors import MissingToolError
from devcluster.servers.running import Running
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_COLUMNS, _LINES = 180, 40
_SECONDS = 60.0  # k9s answers a key at once, and refreshes every two seconds
_TMUX_SECONDS = 30.0
_CODES = re.compile(r"\x1b\[[\d;]*m")  # for colours


class K9s(Running):
    """k9s at work on a cluster from the start of the `with` block to its end.

    It shows `view` of `namespace`, with the plugins and views in `files` and kubectl from `kubectl`'s folder.
    """

    def __init__(
        self, program: Path, *, kubeconfig: Path, namespace: str, view: str, files: Path, kubectl: Path, readonly: bool
    ) -> None:
        if shutil.which("tmux") is None:
            raise MissingToolError("tmux is not here; on Debian or Ubuntu: apt-get install tmux")
        self._run = RunFolder.new("k9s")
        home = self._run.folder
        settings = home / "config" / "k9s"
        settings.mkdir(parents=True)
        for name in ("plugins.yaml", "views.yaml"):
            shutil.copy(files / name, settings)
        folders = {f"XDG_{kind.upper()}_HOME": str(home / kind) for kind in ("config", "data", "state", "cache")}
        self._environment = {
            **folders,
            "HOME": str(home),
            "PATH": f"{kubectl.parent}:{os.defpath}",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",  # else tmux draws no frames
        }
        self._socket = home / "tmux"
        self.log = home / "k9s.log"
        command = [
            *(program, "--kubeconfig", kubeconfig, "--namespace", namespace, "--command", view),
            *("--logFile", self.log, "--logLevel", "debug", *(["--readonly"] if readonly else [])),
        ]
        self._command = shlex.join(map(str, command))

    def start(self) -> None:
        """Open the terminal."""
        try:
            size = ["-x", str(_COLUMNS), "-y", str(_LINES)]
            self._tmux("-f", "/dev/null", "new-session", "-d", *size, self._command)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and remove its files."""
        self._tmux("kill-server", check=False)
        self._run.close()

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names for them: X, C-x, Tab, Enter."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type letters."""
        self._tmux("send-keys", "-l", text)

    def screen(self, *, colours: bool = False) -> str:
        """The text on the screen; with the terminal's codes for colours, if wanted."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def row(self, name: str, *, colours: bool = False) -> str:
        """The line of the table for an object; empty if there is none."""
        for line in self.screen(colours=colours).splitlines():
            if _CODES.sub("", line).lstrip("│ ").startswith(f"{name} "):
                return line
        return ""

    def wait_for(self, what: str, holds: Callable[[str], bool]) -> str:
        """The screen, once it `holds`."""
        wait_until(lambda: holds(self.screen()), what, timeout_seconds=_SECONDS, seen=self.screen)
        return self.screen()

    def wait_text(self, text: str) -> str:
        """The screen, once it shows a text."""
        return self.wait_for(f"k9s to show {text!r}", lambda screen: text in screen)

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=_TMUX_SECONDS,
        )
        return done.stdout
