"""Folders so deep that a program which recurses, holds a descriptor for each or joins their names fails."""

from __future__ import annotations

import os
from pathlib import Path

_LEVELS = 1_500
_NAME = "deeper"


def make_deep(folder: Path) -> None:
    """Make the folder with 1,500 others, each in the last one, and a file at the end."""
    folder.mkdir(parents=True)
    place = os.open(folder, os.O_RDONLY)
    for _ in range(_LEVELS):
        os.mkdir(_NAME, dir_fd=place)
        below = os.open(_NAME, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(os.open("file", os.O_CREAT, dir_fd=place))
    os.close(place)
