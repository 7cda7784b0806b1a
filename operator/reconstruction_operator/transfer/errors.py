"""Transfer error: photos could not be fetched, or a result could not be delivered."""

from __future__ import annotations


class StorageError(Exception):
    """An expected failure of a job: `reason` is a code of `contract.outcomes`, `message` explains it to users, with
    numbers.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
