"""k9s in a separate terminal: keys go in, screens come out.

The terminal is tmux with a separate server, which reads no settings of the user. k9s has a home folder with nothing but
our files.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.servers.running import Running
from devcluster.waiting import wait_until

_COLUMNS, _LINES = 180, 40
_SECONDS = 60.0  # k9s reacts to a key at once, and refreshes every two seconds
_TMUX_SECONDS = 30.0
_CODES = re.compile(r"\x1b\[[\d;]*m")  # for colours


@dataclass
class K9s(Running):
    """k9s on a cluster for as long as a `with` block.

    It shows `view` of `namespace`, with the plugins and views in `files` and kubectl from `kubectl`'s folder.
    """

    name = "k9s"
    program: Path
    kubeconfig: Path
    namespace: str
    view: str
    files: Path
    kubectl: Path

    @property
    def log(self) -> Path:
        """The log of k9s."""
        return self.folder / "k9s.log"

    def press(self, *keys: str) -> None:
        """Press keys by their names in tmux: X, C-x, Tab, Enter."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type letters."""
        self._tmux("send-keys", "-l", text)

    def screen(self, *, colours: bool = False) -> str:
        """Return the text on the screen, with the terminal's codes for colours if wanted."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def row(self, name: str, *, colours: bool = False) -> str:
        """Return an object's line of the table; empty if there is none."""
        for line in self.screen(colours=colours).splitlines():
            if _CODES.sub("", line).lstrip("│ ").startswith(f"{name} "):
                return line
        return ""

    def wait_for(self, what: str, holds: Callable[[str], bool]) -> str:
        """Wait until the screen `holds`, and return it."""
        wait_until(lambda: holds(self.screen()), what, timeout_seconds=_SECONDS, seen=self.screen)
        return self.screen()

    def wait_text(self, text: str) -> str:
        """Wait until the screen shows a text, and return it."""
        return self.wait_for(f"k9s to show {text!r}", lambda screen: text in screen)

    def _start(self) -> None:
        if shutil.which("tmux") is None:
            raise DevclusterError("tmux is missing; on Debian or Ubuntu: apt-get install tmux")
        settings = self.folder / "config" / "k9s"
        settings.mkdir(parents=True)
        for name in ("plugins.yaml", "views.yaml"):
            shutil.copy(self.files / name, settings)
        command = [
            *(self.program, "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, "--command", self.view),
            *("--logFile", self.log, "--logLevel", "debug"),
        ]
        self.at_end(lambda: self._tmux("kill-server", check=False))
        size = ["-x", str(_COLUMNS), "-y", str(_LINES)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, shlex.join(map(str, command)))

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        kinds = ("config", "data", "state", "cache")
        environment = {
            **{f"XDG_{kind.upper()}_HOME": str(self.folder / kind) for kind in kinds},
            "HOME": str(self.folder),
            "PATH": f"{self.kubectl.parent}:{os.defpath}",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",  # else tmux draws no frames
        }
        done = subprocess.run(
            ["tmux", "-S", self.folder / "tmux", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=_TMUX_SECONDS,
        )
        return done.stdout
