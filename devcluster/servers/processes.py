"""Server process: start, pause, kill and stop it, by its own pid and no other way.

Between this process and the server stands a guard (`guard.py`), which ends the server when this process ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster.errors import DevclusterError, ServerEndedError
from devcluster.servers import guard
from devcluster.servers.pids import is_paused
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_GUARD = Path(guard.__file__)
_LOG_LINES = 30  # in an error: enough for a Go panic's first stack
GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL; none of the servers here has anything to save."""

_END_SECONDS = 20.0  # from SIGKILL to the end: a loaded machine frees hundreds of MB


class Process:
    """A server that runs, under the name that its log file has."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        run: RunFolder,
        environment: Mapping[str, str] | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.name = name
        self._grace_seconds = grace_seconds
        self.log = run.folder / f"{name}.log"
        with self.log.open("ab") as log:
            # -I and -S: neither PYTHONPATH nor the virtualenv can break the guard, and it starts in 15 ms.
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", _GUARD, str(os.getpid()), run.folder, str(grace_seconds), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd=run.folder,
                start_new_session=True,
            )
        out = self._guard.stdout
        assert out is not None  # noqa: S101 -- for the type checker: a pipe was asked for
        with out:
            line = out.readline()
        if not line:
            raise ServerEndedError(name, self._guard.wait(), self.log_end())
        self.pid = int(line)
        run.remember(self._guard.pid, self.pid)

    @property
    def pids(self) -> tuple[int, int]:
        """The guard's and the server's."""
        return self._guard.pid, self.pid

    @property
    def alive(self) -> bool:
        """Whether the server runs (or is paused)."""
        return self._guard.poll() is None

    def check(self) -> None:
        """Raise ServerEndedError if the server has ended."""
        if not self.alive:
            raise ServerEndedError(self.name, self._guard.returncode, self.log_end())

    def log_end(self) -> str:
        """Return the last lines of the log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return f"(no {self.log})"
        return "\n".join(lines[-_LOG_LINES:])

    def pause(self) -> None:
        """Pause the server: connections stay open, nothing answers. Returns when it is paused."""
        self._send(signal.SIGSTOP)
        wait_until(self._is_paused, f"{self.name} to be paused", timeout_seconds=10.0)

    def resume(self) -> None:
        """Continue a paused server; nothing to do for one that runs."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL, and return when the server has ended."""
        if self.alive:
            self._send(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after the grace time. Returns when the server has ended, paused or not."""
        self._guard.terminate()  # does nothing where the guard has ended
        self._wait()

    def _send(self, number: signal.Signals) -> None:
        self.check()  # the guard reaps the server and ends: while it lives, the pid is the server's
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _wait(self) -> None:
        try:
            self._guard.wait(self._grace_seconds + _END_SECONDS)
        except subprocess.TimeoutExpired:
            raise DevclusterError(
                f"{self.name} (pid {self.pid}) does not end; its guard is {self._guard.pid}"
            ) from None

    def _is_paused(self) -> bool:
        self.check()
        return is_paused(self.pid)
