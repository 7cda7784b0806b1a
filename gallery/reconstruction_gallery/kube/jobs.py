"""Job cache: the newest state of every ReconstructionJob, kept up to date by a list and a watch.

The cache holds the JSON that the page gets, so that each change is encoded once, however many pages are open. A
listener remembers the last revision that it sent, and reads newer jobs and deletions: there is no queue that a slow
listener could fill.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import re
from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.api import figures
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.verdict import Verdict, sentence, verdict_in
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.kube.reflector import FIRST_PAUSE_SECONDS, AsyncTransport, Change, Reflector, follow_async

_MAX_DELETIONS: Final = 10_000  # recorded for listeners
_MAX_SENTENCE_CHARS: Final = 400  # in a row
_UPLOADED: Final = re.compile(r"/[0-9a-f]{32}/photos$")  # as `files.uploads` names them
_REQUEST_FIELDS: Final = ("f:cancelRequested", "f:cancelConfirmed", "f:suspend")


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `summary`: its row in the list. `detail`: the object without fields that no user needs."""

    key: JobRef
    revision: int  # revision of the cache at the job's last change
    summary: bytes
    detail: bytes
    input_uri: str
    loaded: bool  # whether a run has its photos
    delivered_to: str  # the output address of a job that has a result; else empty
    succeeded: bool
    ended: bool


class Jobs:
    """Cache of jobs. `synced` is false until the first list is complete, and while there is no CRD."""

    def __init__(self) -> None:
        self.synced = False
        self.revision = 0
        self._deleted: deque[tuple[int, JobRef]] = deque(maxlen=_MAX_DELETIONS)
        self._by_uid: OrderedDict[str, Job] = OrderedDict()  # ordered by change, the newest last
        self._by_name: dict[tuple[str, str], str] = {}
        self._in_namespace = Counter[str]()
        self.namespaces = frozenset[str]()
        """The namespaces with jobs."""
        self._changed = asyncio.Event()

    @property
    def input_uris(self) -> frozenset[str]:
        """The addresses of the photos of all jobs."""
        return frozenset(job.input_uri for job in self._by_uid.values())

    def get(self, namespace: str, name: str) -> Job | None:
        """Return the job of that name."""
        return self.of(self._by_name.get((namespace, name), ""))

    def of(self, uid: str) -> Job | None:
        """Return the job with that uid."""
        return self._by_uid.get(uid)

    def since(self, revision: int, before: float = math.inf) -> Iterator[Job]:
        """Yield the jobs that changed after one revision and before another, the newest change first."""
        for job in reversed(self._by_uid.values()):
            if job.revision <= revision:
                return
            if job.revision < before:
                yield job

    def deleted(self, revision: int) -> list[JobRef] | None:
        """Return the jobs that were deleted after that revision; None if not all of them are recorded."""
        if revision and len(self._deleted) == _MAX_DELETIONS and self._deleted[0][0] > revision:
            return None
        return [key for at, key in itertools.takewhile(lambda entry: entry[0] > revision, reversed(self._deleted))]

    async def changed(self, revision: int, seconds: float) -> bool:
        """Wait until the cache is newer than the revision. Return False on a timeout."""
        try:
            async with asyncio.timeout(seconds):
                while self.revision <= revision:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def put(self, key: JobRef, body: Mapping[str, Any]) -> None:
        """Add or replace a job."""
        earlier = self._by_name.get((key.namespace, key.name))
        if earlier is not None and earlier != key.uid:  # deleted and recreated between two lists
            self._remove(earlier)
        row = _encoded(summary(body))
        whole = _encoded(detail(body))
        before = self._by_uid.get(key.uid)
        if before is not None and (before.summary, before.detail) == (row, whole):
            return  # a new list contains unchanged jobs
        if before is None:
            self._count(key.namespace, 1)
        self.revision += 1
        status = body.get("status") or {}
        self._by_uid[key.uid] = Job(
            key,
            self.revision,
            row,
            whole,
            _uri(body, "input"),
            _loaded(status),
            delivered_to(body),
            succeeded=status.get("phase") == "Succeeded",
            ended=bool(status.get("completionTime")),
        )
        self._by_uid.move_to_end(key.uid)
        self._by_name[key.namespace, key.name] = key.uid
        self._announce()

    def delete(self, uid: str) -> None:
        """Remove a job; ignore an unknown uid."""
        if uid in self._by_uid:
            self._remove(uid)
            self._announce()

    def _remove(self, uid: str) -> None:
        job = self._by_uid.pop(uid)
        self.revision += 1
        self._deleted.append((self.revision, job.key))
        if self._by_name.get((job.key.namespace, job.key.name)) == uid:
            del self._by_name[job.key.namespace, job.key.name]
        self._count(job.key.namespace, -1)

    def _count(self, namespace: str, change: int) -> None:
        self._in_namespace[namespace] += change
        if self._in_namespace[namespace] in (0, change):
            self._in_namespace = +self._in_namespace
            self.namespaces = frozenset(self._in_namespace)

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


async def watch(
    api: AsyncTransport,
    jobs: Jobs,
    namespaces: Sequence[str],
    *,
    first_pause_seconds: float = FIRST_PAUSE_SECONDS,
) -> None:
    """Keep the cache up to date until the task is cancelled. `namespaces`: empty for all. `first_pause_seconds`: after
    an error.
    """
    unlisted: set[str | None] = set(namespaces) or {None}

    def apply(namespace: str | None, change: Change) -> None:
        if change.key is None:
            unlisted.discard(namespace)
            jobs.synced = not unlisted
        elif change.deleted:
            jobs.delete(change.key.uid)
        elif change.body is not None:
            jobs.put(change.key, change.body)

    def failed(namespace: str | None, error: ApiError) -> bool:
        if error.status == HTTPStatus.NOT_FOUND:  # the CRD was deleted
            unlisted.add(namespace)
            jobs.synced = False
        return False

    async with asyncio.TaskGroup() as group:
        for namespace in tuple(unlisted):
            reflector = Reflector(
                paths.jobs(namespace),
                partial(apply, namespace),
                final=partial(failed, namespace),
                first_pause_seconds=first_pause_seconds,
            )
            group.create_task(follow_async(api, reflector))


def summary(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a job in the list."""
    metadata, spec, status = (body.get(part) or {} for part in ("metadata", "spec", "status"))
    progress = status.get("progress") or {}
    outputs = status.get("outputs") or {}
    names = [str(file.get("name", "")) for file in outputs.get("files") or ()]
    return {
        "namespace": metadata.get("namespace"),
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "created": metadata.get("creationTimestamp"),
        "phase": status.get("phase") or "Pending",
        "percent": progress.get("percent", 0),
        "done": progress.get("display", ""),
        "step": progress.get("step", ""),
        "eta": progress.get("eta", ""),
        "model": spec.get("modelType", ""),
        "suspend": spec.get("suspend") is True,
        "cancelRequested": spec.get("cancelRequested") is True,
        "cancelConfirmed": spec.get("cancelConfirmed") is True,
        # While a job is unfinished, the row shows a requested cancel by itself
        "state": (status.get("completionTime") and status.get("phaseDetail")) or status.get("phase") or "Pending",
        "verdict": verdict_in(status),
        "sentence": _sentence(status)[:_MAX_SENTENCE_CHARS],
        "images": (status.get("inputs") or {}).get("images"),
        # where the gallery may find a photo: another place has another picture
        "photos": "run" if _loaded(status) else "folder" if _uri(body, "input").startswith("file:") else "",
        "size": status.get("size") or "",
        "uploaded": _UPLOADED.search(_uri(body, "input")) is not None,
        "started": status.get("startTime"),
        "completed": status.get("completionTime"),
        "preview": next((name for name in names if name.endswith(".png") and "texture" not in name), None),
    }


def detail(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object for its page: spec, status, and the clients that last wrote a cancel or a suspension."""
    metadata = body.get("metadata") or {}
    return {
        "metadata": {
            name: metadata.get(name) for name in ("namespace", "name", "uid", "creationTimestamp", "generation")
        },
        "spec": body.get("spec") or {},
        "status": body.get("status") or {},
        "writers": writers(metadata.get("managedFields") or ()),
    }


def delivered_to(body: Mapping[str, Any]) -> str:
    """Return the address to which the job delivered its result; empty if it delivered none."""
    outputs = (body.get("status") or {}).get("outputs") or {}
    return _uri(body, "output") if outputs.get("uri") else ""


def writers(managed: Collection[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the client that last wrote each field of the spec, and when, as the API server recorded it."""
    newest: dict[str, dict[str, str]] = {}
    for entry in managed:
        fields = entry.get("fieldsV1")
        fields = fields.get("f:spec") if isinstance(fields, Mapping) else None  # a user may have written anything
        if not isinstance(fields, Mapping):
            continue
        for name in _REQUEST_FIELDS:
            at = str(entry.get("time", ""))
            if name in fields and at >= newest.get(name[2:], {}).get("time", ""):
                newest[name[2:]] = {"client": str(entry.get("manager", "")), "time": at}
    return newest


def _sentence(status: Mapping[str, Any]) -> str:
    """Return the sentence below the name: of a good result what its numbers say."""
    if verdict_in(status) == Verdict.FINE:
        return figures.in_words(status.get("quality") or {}, str(status.get("size") or ""))
    return sentence(status)


def _loaded(status: Mapping[str, Any]) -> bool:
    """Return whether a run of the job has its photos on the volume, which its end deletes."""
    return bool((status.get("inputs") or {}).get("images")) and not status.get("completionTime")


def _uri(body: Mapping[str, Any], side: str) -> str:
    return str(((body.get("spec") or {}).get(side) or {}).get("uri", ""))


def _encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
