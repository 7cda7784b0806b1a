"""Result layout in object storage: immutable files, and one small pointer to the current result.

    <address>/<job id>/<attempt>-<digest>/…              the files of one result, `manifest.json` last
    <address>/result.json                                the pointer

The digest depends on the content of all files. So different results never share a folder, and a delivery can be
repeated.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final, Self

from reconstruction_operator.api import codec
from reconstruction_operator.contract.manifest import Manifest

POINTER: Final = "result.json"
MAX_POINTER_BYTES: Final = 65_536
_VERSION: Final = 1
_DIGEST_CHARS: Final = 16
_FOLDER: Final = re.compile(rf"[0-9]+-[0-9a-f]{{{_DIGEST_CHARS}}}/")


@dataclass(frozen=True, slots=True)
class Pointer:
    """The pointer to the current result. Readers read it first, and then only files in the folder that it names."""

    job_id: str
    attempt: int
    folder: str  # below the address, with a slash at its end

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the pointer to that result."""
        return cls(manifest.attempt.job_id, manifest.attempt.number, folder_of(manifest))

    def to_bytes(self) -> bytes:
        """Return the content of the object."""
        content = {"version": _VERSION, **codec.encode(self), "manifest": f"{self.folder}manifest.json"}
        return (json.dumps(content, indent=2) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes) -> Self | None:
        """Return the pointer in `text`; None if another program wrote it."""
        try:
            return codec.decode(cls, json.loads(text))
        except (TypeError, ValueError, RecursionError):
            return None


def folder_of(manifest: Manifest) -> str:
    """Return the folder of a result below the address, with a slash at its end."""
    attempt = manifest.attempt
    described = [attempt.task_id, *(f"{file.name}\0{file.bytes}\0{file.sha256}" for file in manifest.files)]
    digest = hashlib.sha256("\n".join(described).encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{attempt.job_id}/{attempt.number}-{digest}/"


def is_folder_of(folder: str, job_id: str) -> bool:
    """Return whether `folder` is one of that job's results: any program may have written the
    pointer (path traversal).
    """
    return folder.startswith(f"{job_id}/") and _FOLDER.fullmatch(folder.removeprefix(f"{job_id}/")) is not None


def probe_of(attempt: int) -> str:
    """Return the name of the object by which an attempt tests its write permission; `attempt_of` recognizes it."""
    return f"{attempt}-probe"


def attempt_of(name: str) -> int | None:
    """Return the attempt in the name of a result's folder or of a probe; None for any other name."""
    number, dash, _ = name.partition("-")
    return int(number) if dash and number.isascii() and number.isdigit() else None
