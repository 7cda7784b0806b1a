"""kubectl of the demo: shows each command as a user would type it before it runs."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.places import DemoError
from devcluster import commands

_COMMAND_SECONDS = 6 * 3600.0 + 60.0  # above the longest `kubectl wait` of the story


class KubectlError(DemoError):
    """A command of the demo failed; `message` is kubectl's."""

    def __init__(self, command: str, message: str) -> None:
        super().__init__(f"{command}\n{message}")
        self.message = message


@dataclass(frozen=True)
class ShownKubectl:
    """kubectl for one cluster and namespace. `show` gets each command that a user would type."""

    program: Path
    kubeconfig: str
    namespace: str
    folder: Path  # working directory: the checkout, so that paths are short
    cache: Path
    show: Callable[[str], None]

    def run(self, *arguments: str) -> str:
        """Show a command, run it, and return its output."""
        self.show(self._shown(arguments))
        return self.quietly(*arguments)

    def refused(self, *arguments: str) -> str:
        """Show a command that the API server must refuse, run it, and return the server's message."""
        shown = self._shown(arguments)
        self.show(shown)
        done = self._done(arguments)
        if done.returncode == 0:
            raise DemoError(f"{shown}\nwas accepted, but should have been refused")
        return done.stderr.strip()

    def quietly(self, *arguments: str) -> str:
        """Run a command without showing it, and return its output."""
        done = self._done(arguments)
        if done.returncode != 0:
            raise KubectlError(self._shown(arguments), (done.stderr or done.stdout).strip())
        return done.stdout

    def read(self, *arguments: str) -> Any:
        """Return the JSON that a command prints."""
        return json.loads(self.quietly(*arguments, "-o", "json"))

    def succeeds(self, *arguments: str) -> bool:
        """Return whether a command that only reads succeeds."""
        return self._done(arguments).returncode == 0

    def _where(self) -> list[str]:
        return [] if self.namespace == "default" else ["-n", self.namespace]

    def _shown(self, arguments: tuple[str, ...]) -> str:
        return shlex.join(["kubectl", *self._where(), *arguments])

    def _done(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return commands.run(
            [self.program, *self._where(), *arguments],
            check=False,
            # The default cache of resources is by address, and an earlier cluster on the same port had other resources.
            environment={"KUBECONFIG": self.kubeconfig, "KUBECACHEDIR": str(self.cache)},
            folder=self.folder,
            timeout_seconds=_COMMAND_SECONDS,
        )
