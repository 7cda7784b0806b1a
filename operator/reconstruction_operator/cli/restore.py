"""Restore: `reconstruction-operator restore` lists the results of deleted jobs in the trash, and restores one.

It reads the job volume, so it runs in a worker. Users without access to workers create the job again (`spec.reuse`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.api.identity import GROUP, KIND, VERSION
from reconstruction_operator.api.spec import REQUIRED
from reconstruction_operator.contract.manifest import MANIFEST, Manifest
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import trash
from reconstruction_operator.units import megabytes

_HEADINGS: Final = ("JOB", "UID", "MODEL", "SIZE", "KEPT UNTIL")


class RestoreError(Exception):
    """The result could not be restored, for the reason in the text."""


@dataclass(frozen=True, slots=True)
class TrashedResult:
    """A complete result in the trash."""

    kept: trash.Kept
    manifest: Manifest
    owner: Owner

    @property
    def title(self) -> str:
        """The job: namespace/name."""
        return f"{self.owner.namespace}/{self.owner.name}"

    @property
    def until(self) -> str:
        """The time at which the result expires, in RFC 3339."""
        return format_time(datetime.fromtimestamp(self.kept.until, UTC))


def entries(namespace: str = "") -> Iterator[TrashedResult]:
    """Yield the complete results in the trash, sorted by expiry. Empty `namespace`: all."""
    for kept in trash.entries():
        manifest = kept.sealed()
        owner = manifest.owner if manifest is not None else None
        if manifest is not None and owner is not None and namespace in ("", owner.namespace):
            yield TrashedResult(kept, manifest, owner)


def find(wanted: str) -> TrashedResult:
    """Return the result of the job with that uid or namespace/name; among several of one name, the one that expires last.

    Raises RestoreError if there is none.
    """
    matches = [entry for entry in entries() if wanted in (entry.kept.job_id, entry.title)]
    if not matches:
        raise RestoreError(f"no result of {wanted} is in the trash of this worker's volume; --list shows its contents")
    return matches[-1]


def table(results: Sequence[TrashedResult]) -> list[str]:
    """Return the results as lines with aligned columns."""
    rows = [_HEADINGS] + [
        (
            result.title,
            result.kept.job_id,
            result.manifest.model,
            megabytes(sum(file.bytes for file in result.manifest.files), 1),
            result.until,
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def copy(entry: TrashedResult, folder: Path) -> None:
    """Copy the result to a new folder and compare each file with its digest. Raises RestoreError or OSError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RestoreError(f"{folder} is not empty: name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    for file in entry.manifest.files:
        target = folder / file.name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise RestoreError(f"the manifest names a file outside its folder: {file.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(entry.kept.path / file.name, target)
        if _sha256(target) != file.sha256:
            raise RestoreError(f"{file.name} is damaged: its digest differs from the manifest")
    shutil.copyfile(entry.kept.path / MANIFEST, folder / MANIFEST)


def job(entry: TrashedResult) -> dict[str, Any]:
    """Return the manifest of a job that takes the result over, for `kubectl apply`."""
    made, owner = entry.manifest, entry.owner
    output = {"output": {"uri": made.uri}} if made.uri else {}
    parameters = {"parameters": dict(made.parameters)} if made.parameters else {}
    spec = {"modelType": made.model, "input": {"uri": made.input_uri or "file:///photos/unknown"}, "queue": owner.queue}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"namespace": owner.namespace, "name": owner.name},
        "spec": spec | parameters | output | {"reuse": REQUIRED},
    }


def run(
    *, wanted: str | None, to: Path | None, namespace: str, lists: bool, write: Callable[[str], None] = print
) -> int:
    """Run the command; return its exit status."""
    try:
        if lists or wanted is None:
            results = list(entries(namespace))
            for line in table(results) if results else ["The trash is empty."]:
                write(line)
            return 0
        entry = find(wanted)
        if to is None:
            write(json.dumps(job(entry), indent=2))
        else:
            copy(entry, to)
            write(f"The result of {entry.title} is in {to}.")
    except (RestoreError, OSError) as error:
        print(f"reconstruction-operator: {error}", file=sys.stderr)
        return 1
    return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
