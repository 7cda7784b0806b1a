"""Kept stages: finished stages of successful runs, from which other jobs of the same namespace with the same photos continue.

    <folder>/<digest>~<job id>~<until>~<bytes>/<stage>~<key>/   kept until that time (whole seconds since 1970)

The digest covers the namespace, the photos and the model. The stages of a run get here by one rename, and get from here into another run's
workspace as hard links: they take their space once, and a deletion does not disturb a run that uses them. From another file system, both are
copies. The folder is a cache: deleting it only costs time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator import config, disk

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """The stages of one run."""

    path: Path
    digest: str
    job_id: str
    until: int  # seconds since 1970
    bytes: int


def keep(folder: Path, stages: Path, digest: str, job_id: str) -> None:
    """Move the stages of a run into `folder`, and delete the oldest there beyond the settings, or beyond what is left on the disk.

    Raises OSError if they could not be moved.
    """
    for path in [path for path in stages.iterdir() if path.name.startswith(".")]:  # unfinished, or too large
        disk.delete_tree(path)
    size = sum(path.lstat().st_size for path in stages.rglob("*") if not path.is_dir())
    until = int(time.time()) + config.settings.KEEP_STAGES_SECONDS
    folder.mkdir(parents=True, exist_ok=True)
    shutil.move(stages, folder / f"{digest}~{job_id}~{until}~{size}")  # copies from another file system
    limit = 0 if disk.is_short(folder) else min(config.settings.STAGES_MAX_BYTES, disk.free_bytes(folder) or 0)
    for kept in sorted(entries(folder), key=lambda kept: -kept.until):
        if kept.bytes <= limit:
            limit -= kept.bytes
        else:
            _delete(kept)


def link(folder: Path, digest: str, into: Path) -> None:
    """Link (or else copy) the newest sealed stages with that digest into the folder `into`. If that fails, they are left out."""
    for kept in sorted(entries(folder), key=lambda kept: -kept.until):
        if kept.digest == digest:
            for stage in disk.entries(kept.path):
                if not stage.name.startswith(".") and not (into / stage.name).exists():
                    _link(stage, into)


def entries(folder: Path) -> Iterator[Kept]:
    """Return what is kept in `folder`. Other names there are ignored."""
    for path in disk.entries(folder):
        parts = path.name.split("~")
        if len(parts) == 4 and all(part.isascii() and part.isdigit() for part in parts[2:]):  # noqa: PLR2004  # as above
            yield Kept(path, parts[0], parts[1], int(parts[2]), int(parts[3]))


def forget(folder: Path, job_id: str) -> None:
    """Delete the stages of that job. A failure is logged; they expire."""
    for kept in entries(folder):
        if kept.job_id == job_id:
            _delete(kept)


def expire(folder: Path, now: float) -> None:
    """Delete the stages that expire by `now` (seconds since 1970). Failures are logged."""
    for kept in entries(folder):
        if kept.until <= now:
            _delete(kept)


def _link(stage: Path, into: Path) -> None:
    target = into / f".{uuid.uuid4().hex}"
    try:
        into.mkdir(exist_ok=True)  # without `parents`: a superseded run must not make its workspace anew
        shutil.copytree(stage, target, symlinks=True, copy_function=_link_or_copy)
        target.rename(into / stage.name)
    except OSError as error:  # the stage is being deleted, or the disk is full
        logger.info("stage %s of another job is not used: %s", stage.name, error)
        disk.delete_tree(target)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target, follow_symlinks=False)


def _delete(kept: Kept) -> None:
    try:
        disk.delete_tree(kept.path)  # a run that links them meanwhile finds that its copy is incomplete
    except OSError as error:
        logger.warning("could not delete %s: %s", kept.path, error)
    with contextlib.suppress(OSError):  # it holds others
        kept.path.parent.rmdir()
