"""Open file: a file of a result on the volume or in a bucket, and the errors if there is none."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final, Protocol

from reconstruction_operator.contract.manifest import SealedFile

CHUNK_BYTES: Final = 1 << 18
_MAX_NAME_CHARS: Final = 1024


class NoResultError(Exception):
    """The job has no such result."""


class UnreadableResultError(Exception):
    """The job has a result, which cannot be read now; the message is for users."""


class OpenFile(Protocol):
    """A file of a result. Close it at the end."""

    @property
    def sealed(self) -> SealedFile:
        """Its name, size and digest in the manifest."""

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to before `end`, in pieces.

        Raises NoResultError if it is not a file of the size in the manifest, UnreadableResultError. The pieces end early, or raise
        UnreadableResultError, if the file is cut off meanwhile.
        """

    def close(self) -> None:
        """Free the file or the connection."""


def is_plain(name: str) -> bool:
    """Whether the name is a path below its folder on every system: a hostile manifest may hold any name (path traversal)."""
    return (
        len(name) <= _MAX_NAME_CHARS
        and name.isprintable()
        and not any(sign in name for sign in '\\:*?"<>|')
        and all(part.strip(". ") for part in name.split("/"))
    )
