"""Withdrawal program: `python -P -m reconstruction_operator.worker.deleting.program` deletes one job's copies at one address.

It is a separate process because a call on a dead mount never returns. It reads the withdrawal and the settings from stdin, and writes the
outcome to stdout. It ends with its worker.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from reconstruction_operator import config, privacy
from reconstruction_operator.transfer.outputs import target_of
from reconstruction_operator.transfer.programs import end_with_worker, failure_message
from reconstruction_operator.transfer.runs import Run


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The copies to delete: those that attempts of the job up to `attempt` have delivered to `uri`."""

    uri: str
    job_id: str
    attempt: int
    namespace: str = ""
    copy: bool = True  # also the copy that readers see, not only partial deliveries
    workspace: str = ""  # of the requesting run; if it is missing, the run is superseded; empty: not checked

    def perform(self) -> None:
        """Delete the copies. Idempotent: it may be repeated after a kill. Raises OSError, SupersededError or StorageError."""
        run = Run(self.job_id, self.attempt, Path(self.workspace) if self.workspace else None)
        target_of(self.uri, self.namespace).withdraw(run, copy=self.copy)

    def to_line(self) -> bytes:
        """Return the withdrawal with the settings in use, as the program reads it."""
        return json.dumps({"withdrawal": asdict(self), "settings": config.for_child()}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Return the withdrawal; take over the settings."""
        message = json.loads(line)
        config.take_over(message["settings"])
        return cls(**message["withdrawal"])


def main() -> None:
    """Carry out the withdrawal on stdin."""
    privacy.hide_memory()
    withdrawal = Withdrawal.from_line(sys.stdin.buffer.readline())
    end_with_worker()
    message: dict[str, Any] = {"done": True}
    try:
        withdrawal.perform()
    except Exception as error:  # noqa: BLE001  # the worker reports it
        message = failure_message(error)
    sys.stdout.write(json.dumps(message, default=os.fsdecode) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
