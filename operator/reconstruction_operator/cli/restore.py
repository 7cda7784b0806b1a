"""Restore: `reconstruction-operator restore --list` lists the results of deleted jobs in the trash.

It reads the job volume, so it runs in a worker. A job with `reuse: Required` takes one over (`kubectl recon restore`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import trash
from reconstruction_operator.units import megabytes

_HEADINGS: Final = ("JOB", "UID", "MODEL", "SIZE", "KEPT UNTIL")


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


def entries(namespace: str) -> Iterator[TrashedResult]:
    """Yield the complete results in the trash, sorted by expiry. Empty `namespace`: all."""
    for stored in trash.entries():
        manifest = stored.sealed()
        owner = manifest.owner if manifest is not None else None
        if manifest is not None and owner is not None and namespace in ("", owner.namespace):
            yield TrashedResult(stored, manifest, owner)


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


def run(namespace: str) -> int:
    """Run the command; return its exit status."""
    try:
        results = list(entries(namespace))
    except OSError as error:
        print(f"reconstruction-operator: {error}", file=sys.stderr)
        return 1
    print("\n".join(table(results)) if results else "The trash is empty.")
    return 0
