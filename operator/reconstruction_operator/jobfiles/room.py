"""Room on the job volume: what is deleted early if the volume is short.

A full volume must not cost one tenant's results for another tenant's job. So the files of the failed run go first. Then
the volume gets some seconds: the run that filled it fails as well, and deletes its own. Only then kept stages go, which
only cost time, and then results in the trash, those of the job's own namespace before those of others. The volume is
measured before each.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from reconstruction_operator import disk
from reconstruction_operator.jobfiles import kept_stages, layout, trash, trashed
from reconstruction_operator.jobfiles.layout import Workspace

logger = logging.getLogger(__name__)

# For other runs that fail, and for a file system that frees the space of deleted files a moment later (XFS, btrfs)
_SETTLE_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1


def make(
    namespace: str,
    space: Workspace | None,
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] = time.sleep,
) -> int:
    """Delete the files of a failed run in `space`, then what is kept, until the volume has room.

    Return the number of results.

    The note of the run's owner stays. `wait` gets seconds, and may raise.

    Raises OSError if the volume cannot be measured, or a result or the run's files not be deleted.
    """
    volume = layout.volume()
    deadline = clock() + _SETTLE_SECONDS
    deleted = 0

    def settle(free: float) -> None:
        while _free(volume) < free and disk.is_short(volume) and clock() < deadline:
            wait(_POLL_SECONDS)

    if space is not None:
        _empty(space)
    settle(math.inf)
    for path, delete in _candidates(layout.tenant(namespace)):
        if not disk.is_short(volume):
            break
        free = _free(volume)
        freed = disk.usage(path).freed
        if freed:  # otherwise all its files have other hard links: a job has taken it over, or continues from it
            deleted += bool(delete())
            settle(free + freed // 2)
    return deleted


def _free(volume: Path) -> int:
    return disk.free_bytes(volume) or 0


def _empty(space: Workspace) -> None:
    for path in disk.entries(space.root):
        if path != space.owner_note:
            disk.delete_tree(path)


def _candidates(tenant: str) -> Iterator[tuple[Path, Callable[[], bool | None]]]:
    """Yield what may be deleted, in that order, and how. Nothing is listed before its turn."""
    stages = sorted(kept_stages.entries(layout.kept_stages()), key=lambda kept: (kept.tenant != tenant, kept.until))
    yield from ((kept.path, partial(kept_stages.delete, kept)) for kept in stages)
    results = sorted(trashed.entries(), key=lambda kept: kept.tenant != tenant)  # stable: by expiry among equals
    yield from ((kept.path, partial(trash.delete, kept)) for kept in results)
