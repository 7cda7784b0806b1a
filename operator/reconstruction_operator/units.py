"""Units: sizes and numbers as text for people."""

from __future__ import annotations


def megabytes(count: int, digits: int = 0) -> str:
    """Return the size as in "512 MB"."""
    return f"{count / 1024**2:.{digits}f} MB"


def counted(count: int, noun: str) -> str:
    """Return the number with the noun, such as "1 photo" or "12 photos"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
