"""Units: sizes, numbers and values as text for people."""

from __future__ import annotations

import json

_MOST = 80  # characters of a value


def megabytes(count: int, digits: int = 0) -> str:
    """Return the size as in "512 MB"."""
    return f"{count / 1024**2:.{digits}f} MB"


def counted(count: int, noun: str) -> str:
    """Return the number with the noun, such as "1 photo" or "12 photos"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def given(value: object) -> str:
    """Return a parameter's value as its user wrote it, such as null, true or [1, 2]; text in quotes, and cut."""
    return (repr(value) if isinstance(value, str) else json.dumps(value, default=repr))[:_MOST]
