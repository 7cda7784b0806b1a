"""`restore`: list the results of deleted jobs in the trash.

It reads the job volume, so it runs in a worker.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.jobfiles import trash
from reconstruction_operator.jobfiles.trash import TrashedResult
from reconstruction_operator.units import megabytes

_HEADINGS: Final = ("JOB", "UID", "MODEL", "SIZE", "KEPT UNTIL")


def table(results: Sequence[TrashedResult]) -> list[str]:
    """Return the results as lines with aligned columns."""
    rows = [_HEADINGS] + [
        (
            f"{result.owner.namespace}/{result.owner.name}",
            result.stored.job_id,
            result.manifest.model,
            megabytes(sum(file.bytes for file in result.manifest.files), 1),
            format_time(datetime.fromtimestamp(result.stored.until, UTC)),
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def run(namespace: str) -> int:
    """Run the command; return its exit status."""
    try:
        results = list(trash.complete(namespace))
    except OSError as error:
        print(f"reconstruction-operator: {error}", file=sys.stderr)
        return 1
    print("\n".join(table(results)) if results else "The trash is empty.")
    return 0
