"""`history`: the jobs that ended, also those whose objects are gone, and what they used. The gallery keeps it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from reconstruction_operator.api.display import duration_text

from kubectl_recon.display.progress import size_text
from kubectl_recon.display.screen import screen
from kubectl_recon.display.tables import Column, table
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.gallery.reaching import Way, reached, token
from kubectl_recon.installation import published
from kubectl_recon.kube.api import Connection

_CHUNK_BYTES = 1 << 16
_JOBS: tuple[Column[Any], ...] = (
    Column("NAMESPACE", lambda job: job["namespace"], drop=3),
    Column("NAME", lambda job: job["name"], cut=True),
    Column("ENDED", lambda job: _minute(job["ended"])),
    Column("PHASE", lambda job: job["phase"]),
    Column("REASON", lambda job: job["reason"], drop=2),
    Column("TOOK", lambda job: _duration(job["seconds"])),
    Column("CPU", lambda job: _duration(job["cpu_seconds"]), drop=4),
    Column("GPU", lambda job: _duration(job.get("gpu_seconds")), drop=4),
    Column("PHOTOS", lambda job: _text(job["photos"]), drop=5),
    Column("RESULT", lambda job: _size(job["result_bytes"]), drop=6),
    Column("MODEL", lambda job: job["model"], drop=7),
)
_TOTALS: tuple[Column[Any], ...] = (
    Column("MONTH", lambda total: total["month"]),
    Column("NAMESPACE", lambda total: total["namespace"]),
    Column("JOBS", lambda total: _text(total["jobs"])),
    Column("SUCCEEDED", lambda total: _text(total["succeeded"])),
    Column("FAILED", lambda total: _text(total["failed"])),
    Column("CANCELLED", lambda total: _text(total["cancelled"]), drop=2),
    Column("TOOK", lambda total: _duration(total["seconds"])),
    Column("CPU", lambda total: _duration(total["cpu_seconds"])),
    Column("GPU", lambda total: _duration(total.get("gpu_seconds") or None)),
    Column("PHOTOS", lambda total: _text(total["photos"]), drop=3),
    Column("RESULTS", lambda total: _size(total["result_bytes"]), drop=1),
)


def show(
    connection: Connection, way: Way, *, since: timedelta | None, everywhere: bool, totals: bool, form: str
) -> None:
    """Print the ended jobs, the newest first, or the totals by month. `form`: `csv` (all jobs), `json`, or a table.

    Raises ReconError without a gallery, or if it keeps no history.
    """
    chosen = {} if everywhere else {"namespace": connection.namespace}
    if since is not None:
        chosen["since"] = (datetime.now(UTC) - since).strftime("%Y-%m-%dT%H:%M:%SZ")
    way = published.gallery(connection.api, [], way)
    with reached(connection, way) as url:
        gallery = Gallery(url, token(connection, way))
        query = f"?{urlencode(chosen)}" if chosen else ""
        if form == "csv":
            answer = gallery.stream(f"/api/history.csv{query}", {})
            for chunk in answer.stream(_CHUNK_BYTES):
                sys.stdout.write(chunk.decode(errors="replace"))
            return
        content = gallery.get(f"/api/history{'/totals' if totals else ''}{query}")
    where = screen()
    if form == "json":
        where.print(json.dumps(content, indent=2))
        return
    rows = content["totals" if totals else "jobs"]
    lines = table(_TOTALS if totals else _JOBS, rows, where) if rows else ["No job that you may see has ended."]
    for line in lines:
        where.print(line)


def _minute(text: str) -> str:
    return datetime.fromisoformat(text).isoformat(" ", "minutes").partition("+")[0]


def _duration(seconds: int | None) -> str:
    return "" if seconds is None else duration_text(seconds)


def _size(number: int | None) -> str:
    return "" if number is None else size_text(number)


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
