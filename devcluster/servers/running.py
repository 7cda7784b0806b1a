"""Running servers: what starts at the beginning of a `with` block and stops at its end."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from devcluster.errors import DevclusterError, ServerEndedError
from devcluster.servers.processes import GRACE_SECONDS, Process
from devcluster.servers.runs import RunFolder

_POLL_SECONDS = 0.05  # until a server in a thread notices that it must end
_PORT_TRIES = 5  # each fails only if another program binds one of the chosen ports within the same half second


class Running(ABC):
    """Processes with one folder, from `start` to `stop` or for a `with` block.

    Some attributes exist only after `start`.
    """

    name: str
    folder: Path
    """Holds the files and logs until `stop`."""
    processes: dict[str, Process]
    _run: RunFolder
    _ends: contextlib.ExitStack | None = None

    def start(self) -> None:
        """Start everything, and wait until it is ready. An error or an interrupt leaves nothing behind.

        Try again if another program took one of the chosen ports before the server bound it.
        """
        if self._ends is not None:
            raise DevclusterError(f"{self.name} has been started already")
        for tries_left in reversed(range(_PORT_TRIES)):
            self._ends = contextlib.ExitStack()
            try:
                self.processes = {}
                self._run = RunFolder.new(self.name)
                self.at_end(self._run.close)
                self.folder = self._run.folder
                self._start()
            except BaseException as error:  # also on an interrupt
                self.stop()
                if not (tries_left and isinstance(error, ServerEndedError) and error.port_was_taken):
                    raise
            else:
                return

    def stop(self) -> None:
        """End the processes, the last one first, and remove all files; do nothing if it does not run."""
        ends, self._ends = self._ends, None
        if ends is not None:
            ends.close()

    def at_end(self, end: Callable[[], object]) -> None:
        """Call `end` during `stop`, even if another end fails. The last one is called first."""
        if self._ends is None:
            raise DevclusterError(f"{self.name} has not been started")
        self._ends.callback(end)

    def check(self) -> None:
        """Raise ServerEndedError if a process has ended by itself."""
        for process in self.processes.values():
            process.check()

    def revive(self) -> list[str]:
        """Start each process that has ended by itself again, and return their names."""
        ended = [process for process in self.processes.values() if not process.alive]
        for process in ended:
            process.start()
        return [process.name for process in ended]

    def log_ends(self) -> str:
        """Return the end of each process's log."""
        return "\n".join(f"--- {name}:\n{process.log_end()}" for name, process in self.processes.items())

    @property
    def pids(self) -> dict[str, tuple[int, int]]:
        """For each process, the pid of its guard and its own."""
        return {name: process.pids for name, process in self.processes.items()}

    @abstractmethod
    def _start(self) -> None:
        """Start what the subclass runs, with its files in `folder`."""

    def _launch(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> Process:
        process = Process(name, command, run=self._run, environment=environment, grace_seconds=grace_seconds)
        self.processes[name] = process
        self.at_end(lambda: self._end(process))
        return process

    def _end(self, process: Process) -> None:
        process.kill()  # its data is deleted anyway

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    if not TYPE_CHECKING:  # else mypy would accept any name

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(f"{type(self).__name__}.start() has not set {name}")


@contextlib.contextmanager
def answering(server: socketserver.BaseServer) -> Iterator[None]:
    """Run a server of the standard library in a thread until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
