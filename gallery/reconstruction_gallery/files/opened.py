"""Open file: one file of a result, on the volume or in a bucket; and the errors of opening it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final, Protocol

from reconstruction_operator.contract.manifest import SealedFile

CHUNK_BYTES: Final = 1 << 18
_MAX_NAME_CHARS: Final = 1024


class NoResultError(Exception):
    """The job has no result, or no such file in it."""


class UnreadableResultError(Exception):
    """The job's result cannot be read now. The message is for users."""


class OpenFile(Protocol):
    """An open file of a result; the caller closes it."""

    @property
    def sealed(self) -> SealedFile:
        """Its name, size and digest in the manifest."""

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Return the bytes from `start` to before `end`, in pieces.

        Raises UnreadableResultError, and NoResultError if the file does not have the size in the manifest. If the file is truncated
        during the read, the pieces end early or raise UnreadableResultError.
        """

    def close(self) -> None:
        """Free the file or the connection."""


def is_plain(name: str) -> bool:
    """Return whether the name stays below its folder on every system: a hostile manifest may contain any name (path traversal)."""
    return (
        len(name) <= _MAX_NAME_CHARS
        and name.isprintable()
        and not any(sign in name for sign in '\\:*?"<>|')
        and all(part.strip(". ") for part in name.split("/"))
    )
