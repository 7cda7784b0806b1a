"""Sealed results: folders with files and their manifest, as an attempt leaves them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.contract.manifest import MANIFEST, Manifest, SealedFile

from tests.support.refs import make_attempt

JOB: Final = "job1"


def seal(folder: Path, files: Mapping[str, bytes], **manifest: Any) -> Path:
    """Write the files and their manifest to the folder, by default as attempt 1 of JOB; return the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return seal_files(folder, *files, **manifest)


def seal_files(folder: Path, *names: str, job_id: str = JOB, attempt: int = 1, **manifest: Any) -> Path:
    """Write the manifest of files in the folder, as `seal`; a file that does not exist counts as empty."""
    described = []
    for name in names:
        content = (folder / name).read_bytes() if (folder / name).is_file() else b""
        described.append(SealedFile(name, len(content), hashlib.sha256(content).hexdigest()))
    sealed = Manifest(make_attempt(job_id, attempt), **{"files": tuple(described)} | manifest)
    (folder / MANIFEST).write_text(sealed.to_text())
    return folder
