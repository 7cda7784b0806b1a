"""Deletion process, the worker's side: kills a deletion that does not finish in time, with its process."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any, Self

from reconstruction_operator.transfer.programs import Program, raise_failure
from reconstruction_operator.worker.deleting import hung_mounts
from reconstruction_operator.worker.deleting.request import DeletionRequest

logger = logging.getLogger(__name__)

_PROGRAM = "reconstruction_operator.worker.deleting.program"


class DeletionProcess:
    """Carries out requests one after another, in a process that starts with the first one and ends with the `with` block or `close`."""

    def __init__(self) -> None:
        self._program: Program | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the process now. Raises OSError if that fails."""
        if self._program is None:
            self._program = Program.start(_PROGRAM)

    def close(self) -> None:
        """End the process, if it was started."""
        self._end()

    def perform(self, request: DeletionRequest, seconds: float) -> bool:
        """Carry out one request, as `program.perform`.

        Also raises TimeoutError, an OSError, if the deletion did not finish in time or needs a mount that hangs.
        """
        line = request.to_line(hung_mounts.known())
        try:
            message, path = self._exchange(line, seconds)
        except BaseException:  # such as a signal of a time limit: the next request must not get the reply to this one
            self._end()
            raise
        if path is not None and "done" in message:
            hung_mounts.forget(path)
        return _result(message)

    def _exchange(self, line: bytes, seconds: float) -> tuple[dict[str, Any], Path | None]:
        """Send the request in `line`; return the last message about it, and the last path that it accessed."""
        deadline = time.monotonic() + seconds
        self._send(line)
        path: Path | None = None
        while True:
            message = self._receive(deadline)
            if message is None:
                left = self._end()
                if path is not None:
                    hung_mounts.remember(path, left)
                where = f" at {path}" if path is not None else ""
                raise TimeoutError(f"not within {seconds:.0f} s{where}: see whether the disk responds")
            match message:
                case {"at": accessed}:
                    path = Path(accessed)
                case {"log": [level, text]}:
                    logger.log(level, "%s", text)
                case _:
                    return message, path

    def _send(self, line: bytes) -> None:
        self.start()
        assert self._program is not None  # noqa: S101  # for the type checker
        try:
            self._program.send(line)
        except BrokenPipeError:
            self._end()
            raise OSError("the process that deletes files has ended") from None

    def _receive(self, deadline: float) -> dict[str, Any] | None:
        """Return the next message; None if none came in time."""
        assert self._program is not None  # noqa: S101  # a request was sent
        line = self._program.read_line(deadline)
        if line is None:
            return None
        if not line:
            self._end()
            raise OSError("the process that deletes files has ended")
        message: dict[str, Any] = json.loads(line)
        return message

    def _end(self) -> int:
        """Kill the process; return 0, or its id if it could not be killed."""
        program, self._program = self._program, None
        return 0 if program is None or program.end() else program.process.pid


def _result(message: dict[str, Any]) -> bool:
    raise_failure(message)
    if not isinstance(message.get("done"), bool):
        raise OSError("the process that deletes files sent no reply")
    return bool(message["done"])
