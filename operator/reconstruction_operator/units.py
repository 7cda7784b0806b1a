"""Units: sizes as text for people."""

from __future__ import annotations


def megabytes(count: int, digits: int = 0) -> str:
    """Return the size as in "512 MB"."""
    return f"{count / 1024**2:.{digits}f} MB"
