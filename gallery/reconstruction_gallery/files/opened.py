"""Files of results, on the volume or in a bucket: their names, and the errors of opening them."""

from __future__ import annotations

from typing import Final

CHUNK_BYTES: Final = 1 << 16
"""What a download holds in memory at a time."""
_MAX_NAME_CHARS: Final = 1024


class NoResultError(Exception):
    """The job has no result, or no such file in it."""


class UnreadableResultError(Exception):
    """The job's result cannot be read now. The message is for users."""


def is_plain(name: str) -> bool:
    """Return whether the name stays below its folder on every system: a hostile manifest may contain any name (path
    traversal).
    """
    return (
        len(name) <= _MAX_NAME_CHARS
        and name.isprintable()
        and not any(sign in name for sign in '\\:*?"<>|')
        and all(part.strip(". ") for part in name.split("/"))
    )
