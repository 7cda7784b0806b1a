"""A withdrawal of more files than it can delete in time."""

from __future__ import annotations

import os
from typing import Any

from reconstruction_operator.transfer import programs


def perform(_withdrawal: object, _progress: object) -> dict[str, Any]:
    """Use the file system until the worker kills this process."""
    while True:
        os.stat("/")  # noqa: PTH116  # the call alone


programs.serve(perform)
