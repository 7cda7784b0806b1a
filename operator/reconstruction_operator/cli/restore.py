"""Restore: `reconstruction-operator restore` lists the results of deleted jobs in the trash, and prints a job that restores one.

It reads the job volume, so it runs in a worker. Users without access to workers create the job again (`spec.reuse`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.api.identity import GROUP, KIND, VERSION
from reconstruction_operator.api.spec import REQUIRED
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import trash
from reconstruction_operator.units import megabytes

_HEADINGS: Final = ("JOB", "UID", "MODEL", "SIZE", "KEPT UNTIL")


class RestoreError(Exception):
    """The result could not be restored, for the reason in the text."""


@dataclass(frozen=True, slots=True)
class TrashedResult:
    """A complete result in the trash."""

    stored: trash.Kept
    manifest: Manifest
    owner: Owner

    @property
    def title(self) -> str:
        """The job: namespace/name."""
        return f"{self.owner.namespace}/{self.owner.name}"

    @property
    def until(self) -> str:
        """The time at which the result expires, in RFC 3339."""
        return format_time(datetime.fromtimestamp(self.stored.until, UTC))


def entries(namespace: str = "") -> Iterator[TrashedResult]:
    """Yield the complete results in the trash, sorted by expiry. Empty `namespace`: all."""
    for stored in trash.entries():
        manifest = stored.sealed()
        owner = manifest.owner if manifest is not None else None
        if manifest is not None and owner is not None and namespace in ("", owner.namespace):
            yield TrashedResult(stored, manifest, owner)


def find(deleted: str) -> TrashedResult:
    """Return the result of the job with that uid or namespace/name; among several of one name, the one that expires last.

    Raises RestoreError if there is none.
    """
    matches = [entry for entry in entries() if deleted in (entry.stored.job_id, entry.title)]
    if not matches:
        raise RestoreError(f"no result of {deleted} is in the trash of this worker's volume; --list shows its contents")
    return matches[-1]


def table(results: Sequence[TrashedResult]) -> list[str]:
    """Return the results as lines with aligned columns."""
    rows = [_HEADINGS] + [
        (
            result.title,
            result.stored.job_id,
            result.manifest.model,
            megabytes(sum(file.bytes for file in result.manifest.files), 1),
            result.until,
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def job(entry: TrashedResult) -> dict[str, Any]:
    """Return the manifest of a job that takes the result over, for `kubectl apply`."""
    manifest, owner = entry.manifest, entry.owner
    output = {"output": {"uri": manifest.uri}} if manifest.uri else {}
    parameters = {"parameters": dict(manifest.parameters)} if manifest.parameters else {}
    spec = {
        "modelType": manifest.model,
        "input": {"uri": manifest.input_uri or "file:///photos/unknown"},
        "queue": owner.queue,
    }
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"namespace": owner.namespace, "name": owner.name},
        "spec": spec | parameters | output | {"reuse": REQUIRED},
    }


def run(*, deleted: str | None, namespace: str, lists: bool) -> int:
    """Run the command; return its exit status."""
    try:
        if lists or deleted is None:
            results = list(entries(namespace))
            print("\n".join(table(results)) if results else "The trash is empty.")
        else:
            print(json.dumps(job(find(deleted)), indent=2))
    except (RestoreError, OSError) as error:
        print(f"reconstruction-operator: {error}", file=sys.stderr)
        return 1
    return 0
