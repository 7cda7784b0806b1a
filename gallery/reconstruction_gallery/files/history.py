"""History: what ran, a line for each job that ended. Lines stay after the job's object is deleted.

    <history>/<namespace>/<year>-<month>.jsonl   JSON objects, a line each, of jobs that ended in that month (UTC)

Only one process should write there. A line is written once for each uid; a torn one, of a gallery that was killed, is
skipped, and its job is recorded again. Months expire as a whole.
"""

from __future__ import annotations

import heapq
import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Self

from reconstruction_operator import disk
from reconstruction_operator.api.verdict import verdict_in

_SUFFIX: Final = ".jsonl"
_MONTH: Final = re.compile(r"\d{4}-\d{2}")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_MAX_CHARS: Final = 256  # of a text: users choose some
_NEVER: Final = "9999"  # later than each month


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that ended.

    Times are those of its status (RFC 3339, UTC). `tenant`: uid of the namespace; empty: unknown. `seconds`: from the
    start to the end; `cpu_seconds`, `gpu_seconds` and `peak_memory_bytes`: of the last attempt. None: unknown.
    """

    namespace: str
    name: str
    uid: str
    tenant: str
    model: str
    queue: str
    phase: str
    verdict: str
    reason: str  # of the failure, or the user's of the cancel; empty: none
    created: str
    started: str
    ended: str
    attempts: int
    worker: str
    seconds: int | None = None
    cpu_seconds: int | None = None
    gpu_seconds: int | None = None
    peak_memory_bytes: int | None = None
    photos: int | None = None
    photo_bytes: int | None = None
    result_bytes: int | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any], tenant: str) -> Self:
        """Return what is kept of a job's object (JSON)."""
        metadata, spec, status = (body.get(part) or {} for part in ("metadata", "spec", "status"))
        started, ended = (_text(status.get(name)) for name in ("startTime", "completionTime"))
        inputs, outputs, usage = (status.get(part) or {} for part in ("inputs", "outputs", "usage"))
        return cls(
            namespace=_text(metadata.get("namespace")),
            name=_text(metadata.get("name")),
            uid=_text(metadata.get("uid")),
            tenant=tenant,
            model=_text(spec.get("modelType")),
            queue=_text(spec.get("queue")),
            phase=_text(status.get("phase")),
            verdict=_text(verdict_in(status)),
            reason=_reason(spec, status),
            created=_text(metadata.get("creationTimestamp")),
            started=started,
            ended=ended,
            attempts=_whole(status.get("attempt")) or 0,
            worker=_text(status.get("worker")),
            seconds=_seconds(started, ended),
            cpu_seconds=_whole(usage.get("cpuSeconds")),
            gpu_seconds=_whole(usage.get("gpuSeconds")),
            peak_memory_bytes=_whole(usage.get("peakMemoryBytes")),
            photos=_whole(inputs.get("images")),
            photo_bytes=_whole(inputs.get("bytes")),
            result_bytes=_whole(outputs.get("bytes")),
        )

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """Return the job of a line; None for a torn or foreign one."""
        try:
            content = json.loads(line)
            return cls(**{name: content[name] for name in NAMES if name in content})
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


def _reason(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if status.get("phase") == "Cancelled":
        return _text(spec.get("cancelReason"))
    return _text((status.get("failure") or {}).get("reason"))


NAMES: Final = tuple(field.name for field in fields(Ended))
"""The names of the fields, in their order."""


@dataclass(slots=True)
class Total:
    """Ended jobs of a namespace in a month, and what they used."""

    namespace: str
    month: str
    jobs: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    seconds: int = 0
    cpu_seconds: int = 0
    gpu_seconds: int = 0
    photos: int = 0
    result_bytes: int = 0

    def add(self, job: Ended) -> None:
        """Count a job."""
        self.jobs += 1
        self.succeeded += job.phase == "Succeeded"
        self.failed += job.phase == "Failed"
        self.cancelled += job.phase == "Cancelled"
        self.seconds += job.seconds or 0
        self.cpu_seconds += job.cpu_seconds or 0
        self.gpu_seconds += job.gpu_seconds or 0
        self.photos += job.photos or 0
        self.result_bytes += job.result_bytes or 0


class History:
    """The ended jobs of the last `keep_seconds`. Its methods raise OSError."""

    def __init__(self, folder: Path, keep_seconds: float, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._uids: set[str] = set()
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read which jobs are recorded."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._paths():
            self._uids.update(job.uid for job in _jobs(path))

    def has(self, uid: str) -> bool:
        """Return whether the job is recorded."""
        return uid in self._uids

    def record(self, jobs: Iterable[Ended]) -> None:
        """Record jobs that are not recorded yet. A job without a valid end or namespace is left out."""
        new = {job.uid: job for job in jobs if not self.has(job.uid) and self._is_kept(job)}
        ordered = sorted(new.values(), key=self._path)
        with self._lock:
            for path, group in groupby(ordered, self._path):
                of_path = list(group)
                path.parent.mkdir(exist_ok=True)
                _append(path, "".join(f"{json.dumps(asdict(job))}\n" for job in of_path))
                self._uids.update(job.uid for job in of_path)

    def namespaces(self) -> frozenset[str]:
        """Return the namespaces with ended jobs."""
        return frozenset(path.parent.name for path in self._paths())

    def newest(self, namespaces: Collection[str], most: int, *, since: str = "") -> list[Ended]:
        """Return the jobs of the namespaces that ended last, the newest first. `since`: RFC 3339."""
        return heapq.nlargest(most, self.all(namespaces, since=since, most=most), key=lambda job: job.ended)

    def all(self, namespaces: Collection[str], *, since: str = "", most: int | None = None) -> Iterator[Ended]:
        """Yield the jobs of the namespaces that ended since then; of each file only the last `most`."""
        oldest = max(since, self._oldest())
        for path in self._paths():
            if path.parent.name in namespaces and path.stem >= oldest[:7]:
                jobs = _jobs(path) if most is None else deque(_jobs(path), most)
                yield from (job for job in jobs if job.ended >= oldest)

    def expire(self) -> None:
        """Delete the months that are over for `keep_seconds`."""
        oldest = self._oldest()[:7]
        for path in self._paths():
            if path.stem < oldest:
                self._uids.difference_update([job.uid for job in _jobs(path)])
                path.unlink()

    def _is_kept(self, job: Ended) -> bool:
        return (
            _NAMESPACE.fullmatch(job.namespace) is not None
            and _MONTH.fullmatch(job.ended[:7]) is not None
            and self._oldest() <= job.ended < _NEVER
        )

    def _oldest(self) -> str:
        moment = datetime.fromtimestamp(max(0.0, self._clock() - self._keep_seconds), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _path(self, job: Ended) -> Path:
        return self._folder / job.namespace / f"{job.ended[:7]}{_SUFFIX}"

    def _paths(self) -> Sequence[Path]:
        folders = [path for path in disk.entries(self._folder) if _NAMESPACE.fullmatch(path.name)]
        paths = [path for folder in folders for path in disk.entries(folder)]
        return [path for path in paths if path.suffix == _SUFFIX and _MONTH.fullmatch(path.stem)]


def totals(jobs: Iterable[Ended]) -> list[Total]:
    """Return the totals of each namespace and month, the newest month first."""
    found: dict[tuple[str, str], Total] = {}
    for job in jobs:
        key = (job.namespace, job.ended[:7])
        found.setdefault(key, Total(*key)).add(job)
    return sorted(
        sorted(found.values(), key=lambda total: total.namespace), key=lambda total: total.month, reverse=True
    )


def _jobs(path: Path) -> Iterator[Ended]:
    """Yield each job once: a gallery on a lost node and its successor may both record it."""
    uids = set[str]()
    with path.open(errors="replace") as file:
        for line in file:
            job = Ended.parse(line)
            if job is not None and job.uid not in uids:
                uids.add(job.uid)
                yield job


def _append(path: Path, text: str) -> None:
    """Append lines after a torn one, if there is one."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = f"\n{text}"
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _text(value: object) -> str:
    return value[:_MAX_CHARS] if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _seconds(started: str, ended: str) -> int | None:
    try:
        return int((datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds())
    except (ValueError, TypeError):
        return None
