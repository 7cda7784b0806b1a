"""Server process: start, pause, kill and stop it by its own pid.

Between this process and the server runs a guard (`guard.py`), which ends the server when this process ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from devcluster.errors import DevclusterError, ServerEndedError
from devcluster.servers import guard
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_GUARD = Path(guard.__file__)
_LOG_LINES = 30  # in an error: enough for the first stack of a Go panic
GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL; no server here has anything to save."""

_END_SECONDS = 20.0  # from SIGKILL to the end: a loaded machine has to free hundreds of MB


class Process:
    """A running server. Its log file has its name."""

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
        self._command = command
        self._run = run
        self._environment = environment
        self.log = run.folder / f"{name}.log"
        self.start()

    def start(self) -> None:
        """Start the server; after its end, start it again with the same command."""
        owner = (str(os.getpid()), self._run.folder, str(self._grace_seconds))
        with self.log.open("ab") as log:
            # -I and -S: neither PYTHONPATH nor the virtual environment can break the guard, which starts in 15 ms.
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", _GUARD, *owner, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                cwd=self._run.folder,
                start_new_session=True,
            )
        out = self._guard.stdout
        assert out is not None  # noqa: S101 -- for the type checker: a pipe was asked for
        with out:
            line = out.readline()
        if not line:
            raise ServerEndedError(self.name, self._guard.wait(), self.log_end())
        self.pid = int(line)
        self._run.remember(self._guard.pid, self.pid)

    @property
    def pids(self) -> tuple[int, int]:
        """The pids of the guard and of the server."""
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
        """Pause the server, and return when it is paused: connections stay open, and requests get no answer."""
        self._send(signal.SIGSTOP)
        wait_until(self._is_paused, f"{self.name} to be paused", timeout_seconds=10.0)

    def resume(self) -> None:
        """Continue a paused server; do nothing if it runs."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL, and return when the server has ended."""
        if self.alive:
            self._send(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after the grace time. Return when the server has ended, even if it was paused."""
        self._guard.terminate()  # does nothing if the guard has ended
        self._wait()

    def _send(self, number: signal.Signals) -> None:
        self.check()  # the guard reaps the server and then ends: while the guard runs, the pid is the server's
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _wait(self) -> None:
        try:
            self._guard.wait(self._grace_seconds + _END_SECONDS)
        except subprocess.TimeoutExpired:
            raise DevclusterError(
                f"{self.name} (pid {self.pid}) has not ended; its guard is {self._guard.pid}"
            ) from None

    def _is_paused(self) -> bool:
        self.check()
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
