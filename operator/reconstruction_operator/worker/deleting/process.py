"""Deletion process: the worker's side. A deletion that does not end in time is killed with its process."""

from __future__ import annotations

import json
import logging
import os
import select
import time
from pathlib import Path
from typing import Any, Self

from reconstruction_operator.transfer.programs import Program, raise_failure
from reconstruction_operator.worker.deleting import hung_mounts
from reconstruction_operator.worker.deleting.request import DeletionRequest

logger = logging.getLogger(__name__)

_PROGRAM = "reconstruction_operator.worker.deleting.program"
_CHUNK_BYTES = 65_536


class DeletionProcess:
    """Carries out requests, one after another, in a process that is started at the first one.

    It ends with the `with` block, or by `close`.
    """

    def __init__(self) -> None:
        self._program: Program | None = None
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the process now. Raises OSError if that fails."""
        if self._program is None:
            self._unread = b""
            self._program = Program.start(_PROGRAM)

    def close(self) -> None:
        """End the process, if there is one."""
        self._end()

    def perform(self, request: DeletionRequest, seconds: float) -> bool:
        """Carries out one request, as `program.perform`.

        Also raises TimeoutError, an OSError, if it did not end in time or touches a place where an earlier deletion did not end.
        """
        line = request.to_line(hung_mounts.known())
        try:
            message, place = self._exchange(line, seconds)
        except BaseException:  # perhaps from a time limit's signal: the next request must not get this one's answer
            self._end()
            raise
        if place is not None and "done" in message:
            hung_mounts.forget(place)
        return _result(message)

    def _exchange(self, line: bytes, seconds: float) -> tuple[dict[str, Any], Path | None]:
        """Send the request in `line`; returns the last message about it, and the place that it touched last."""
        deadline = time.monotonic() + seconds
        self._send(line)
        place: Path | None = None
        while True:
            message = self._receive(deadline)
            if message is None:
                left = self._end()
                if place is not None:
                    hung_mounts.remember(place, left)
                where = f" at {place}" if place is not None else ""
                raise TimeoutError(f"not within {seconds:.0f} s{where}: see whether the disk answers")
            match message:
                case {"at": path}:
                    place = Path(path)
                case {"log": [level, text]}:
                    logger.log(level, "%s", text)
                case _:
                    return message, place

    def _send(self, line: bytes) -> None:
        self.start()
        assert self._program is not None  # noqa: S101  # for the type checker
        try:
            self._program.send(line)
        except BrokenPipeError:
            self._end()
            raise OSError("the process that deletes files has ended") from None

    def _receive(self, deadline: float) -> dict[str, Any] | None:
        """The next message; None if none came in time."""
        assert self._program is not None  # noqa: S101  # a request was sent
        output = self._program.answers.fileno()
        while b"\n" not in self._unread:
            if not select.select([output], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            chunk = os.read(output, _CHUNK_BYTES)
            if not chunk:
                self._end()
                raise OSError("the process that deletes files has ended")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _end(self) -> int:
        """Kills the process; returns 0, or its id if it could not be killed."""
        program, self._program = self._program, None
        return 0 if program is None or program.end() else program.process.pid


def _result(message: dict[str, Any]) -> bool:
    raise_failure(message)
    if not isinstance(message.get("done"), bool):
        raise OSError("the process that deletes files gave no answer")
    return bool(message["done"])
