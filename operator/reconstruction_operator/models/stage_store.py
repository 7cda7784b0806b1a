"""The store of a run's stages: the folder where they are written, sealed and deleted."""

from __future__ import annotations

import contextlib
import logging
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from reconstruction_operator.models import seals
from reconstruction_operator.models.interface import StageFolder

_RANDOM_CHARS = 8

logger = logging.getLogger(__name__)


class StageStore:
    """The folders of sealed stages and parts, and of those that are being written."""

    def __init__(self, folder: StageFolder) -> None:
        self._folder = folder

    def begin(self, name: str) -> Path:
        """Make an empty folder for that stage; raises as `Stages.begin`."""
        # Without `parents`: if a parent folder is missing, another run has moved it away.
        self._folder.path.mkdir(exist_ok=True)
        path = self._folder.path / f".{name}-{uuid.uuid4().hex[:_RANDOM_CHARS]}"
        path.mkdir()
        return path

    def publish(
        self,
        target: Path,
        written: Path,
        described: list[seals.StageFile],
        about: Mapping[str, Any],
        instead_of: Collection[Path] = (),
    ) -> bool:
        """Write the seal of `written` and move it to `target`; return False if it exceeds the limit of all stages but
        those of `instead_of`.
        """
        others = (other for other in self.sealed() if other not in instead_of)
        kept_bytes = sum(map(_bytes, others))
        if kept_bytes + sum(file.bytes for file in described) > self._folder.max_bytes:
            limit = self._folder.max_bytes
            logger.warning("stage %s is not kept: the limit for all stages is %d bytes", target.name, limit)
            return False
        maker = {**about, "job": [self._folder.job_id, self._folder.job], "attempt": self._folder.attempt}
        seals.write(written, target.name, described, maker)
        delete(target)
        written.rename(target)
        seals.flush(self._folder.path)
        return True

    def delete_unfinished(self, name: str, but: Path) -> None:
        """Delete what is being written of that stage, except the folder `but`."""
        for path in self._folder.path.glob(f".{name}-{'?' * _RANDOM_CHARS}"):
            if path == but:
                continue
            # Another process may still write there: after the rename, it can seal nothing of that.
            gone = path.with_name(f".{uuid.uuid4().hex}")
            with contextlib.suppress(OSError):
                path.rename(gone)
                delete(gone)

    def sealed(self) -> Iterator[Path]:
        """Return the folders of all sealed stages and parts."""
        return (path for path in self._folder.path.iterdir() if not path.name.startswith("."))

    def maker_in(self, seal: Mapping[str, Any]) -> str | None:
        """Return who sealed a stage, as `SealedStage.maker`; None if the seal is damaged."""
        with contextlib.suppress(*seals.DAMAGED):
            job_id, job = seal["job"]
            if job_id != self._folder.job_id:
                return f"job {job}" if job else "an earlier run"
            return f"attempt {int(seal['attempt'])}" if seal["attempt"] else ""
        return None


def _bytes(path: Path) -> int:
    """Return the bytes of a sealed stage; of one that is being deleted, those that are left."""
    total = 0
    with contextlib.suppress(OSError):
        for file in seals.files(path):
            total += file.stat().st_size
    return total


def delete(path: Path) -> None:
    """Delete the folder of a stage, as far as that works."""
    with contextlib.suppress(OSError):  # the worker deletes the folder anyway
        shutil.rmtree(path)
