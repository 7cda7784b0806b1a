"""Job log: a job's Events, read with the user's rights, and the lines about it in the logs of operator and workers.

Operator and workers add the job's uid to each line about it, as a field. Lines are selected by that field, so the
gallery may read the logs with its own rights for every user who may see the job. Without pods they are files in a
folder (`GALLERY_LOGS_DIR`).
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.kube import loglines
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.kube.reflector import Lines

from reconstruction_gallery.kube.users import BoundTokenError, User

_PODS: Final = "app.kubernetes.io/part-of=reconstruction"
_PROGRAMS: Final = ("operator", "worker")  # containers that log about jobs
_MOST_CONTAINERS: Final = 100
_AT_ONCE: Final = 4
_SECONDS: Final = 20.0  # for all containers
_MOST_BYTES: Final = 16 << 20  # read from one container
_MOST_LINES: Final = 1000  # in the response; older ones are dropped
_MAX_TEXT_CHARS: Final = 4000
_EVENTS: Final = "500"
_SILENCE_SECONDS: Final = 10.0
_MAX_LINE_BYTES: Final = 65_536
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{3}\+00:00)?"
)  # of a line in a file; local, or UTC in JSON


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One line; `source` is a pod, a file, or "event". `part`: operator, worker or event.

    `sentence`: what the line says to a user; empty if it adds nothing to the other lines.
    """

    time: str  # RFC 3339
    source: str
    text: str
    part: str = ""
    sentence: str = ""


@dataclass(frozen=True, slots=True, order=True)
class _Read:
    """A line as it was read."""

    time: str
    source: str
    text: str
    entry: loglines.LogEntry = field(compare=False)


@dataclass(frozen=True, slots=True)
class Log:
    """Lines in chronological order. `left_out`: what is missing, in words for users."""

    lines: tuple[Line, ...]
    left_out: str = ""


async def of_job(api: Api, user: User, place: str | Path, key: JobRef, since: str) -> Log:
    """Read the job's log since that time.

    `place`: the namespace of operator and workers, or the folder of their logs. Raises ApiError.
    """
    programs = asyncio.to_thread(_files, place, key) if isinstance(place, Path) else _pods(api, place, key, since)
    lines: list[_Read] = []
    missing: list[str] = []
    for refused, read in (
        (f"you may not read the Events in namespace {key.namespace}", _events(api, user, key)),
        (f"the gallery may not read the logs of operator and workers in namespace {place}", programs),
    ):
        try:
            found, left_out = await read
        except BoundTokenError as error:
            found, left_out = [], f"the Events are missing: {error}"
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            found, left_out = [], refused
        lines += found
        missing += filter(None, [left_out])
    newest = sorted(lines)[-_MOST_LINES:]
    said = loglines.sentences([line.entry for line in newest], key.namespace, key.name)
    pairs = zip(newest, said, strict=True)
    shown = (Line(line.time, line.source, line.text, line.entry.part, sentence) for line, sentence in pairs)
    return Log(tuple(shown), "; ".join(missing))


def _files(folder: Path, key: JobRef) -> tuple[list[_Read], str]:
    """Read the lines about the job in the ends of the log files of a folder.

    A line without a time has that of the line before.
    """
    lines: list[_Read] = []
    for path in sorted(folder.glob("*.log")):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MOST_BYTES))
            time = ""
            for line in file:
                text = line.decode("utf-8", "replace").rstrip()
                with contextlib.suppress(ValueError):  # not a date
                    if stamp := _TIME.search(text[:40]):
                        time = datetime.fromisoformat(stamp[0]).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                if key.uid in text and loglines.uid_of(text) == key.uid:
                    lines.append(_line(f"{time} {text}", path.stem, path.stem))
    return sorted(lines)[-_MOST_LINES:], ""


async def _events(api: Api, user: User, key: JobRef) -> tuple[list[_Read], str]:
    path = f"/api/v1/namespaces/{key.namespace}/events"
    params = {"fieldSelector": f"involvedObject.uid={key.uid}", "limit": _EVENTS}
    answer = await api.request("GET", path, params=params, as_user=user.request_headers)
    return list(map(_event, answer.get("items") or ())), ""


def _event(body: Mapping[str, Any]) -> _Read:
    time = body.get("lastTimestamp") or body.get("eventTime") or ""
    message = str(body.get("message", ""))
    text = f"{body.get('reason', '')}: {message}"
    return _Read(str(time), "event", text[:_MAX_TEXT_CHARS], loglines.LogEntry("event", message[:_MAX_TEXT_CHARS]))


async def _pods(api: Api, system: str, key: JobRef, since: str) -> tuple[list[_Read], str]:
    """Read the lines about the job in the logs of the pods.

    Raises ApiError if the gallery may not list the pods, or if every log failed and at least one was forbidden.
    """
    base = f"/api/v1/namespaces/{system}/pods"
    params = {"labelSelector": _PODS, "limit": str(_MOST_CONTAINERS)}
    answer = await api.request("GET", base, params=params)
    containers = [
        (str(pod["metadata"]["name"]), str(container["name"]))
        for pod in answer.get("items") or ()
        for container in pod["spec"]["containers"]
        if container["name"] in _PROGRAMS
    ]
    newest: list[_Read] = []  # a heap, the oldest line first
    failures: list[ApiError] = []
    slots = asyncio.Semaphore(_AT_ONCE)

    async def read(pod: str, container: str) -> None:
        query = {"container": container, "timestamps": "true", "sinceTime": since, "limitBytes": str(_MOST_BYTES)}
        try:
            async with slots:
                async for line in _lines(api, f"{base}/{pod}/log", query):
                    text = line.decode("utf-8", "replace") if key.uid.encode() in line else ""
                    if text and loglines.uid_of(text.partition(" ")[2]) == key.uid:
                        heapq.heappush(newest, _line(text, pod, container))
                        if len(newest) > _MOST_LINES:
                            heapq.heappop(newest)
        except ApiError as error:  # the pod may be starting, or has just ended
            failures.append(error)

    tasks = [asyncio.create_task(read(*container)) for container in containers]
    late = (await asyncio.wait(tasks, timeout=_SECONDS))[1] if tasks else set()
    for task in late:
        task.cancel()
    refusal = next((error for error in failures if error.status == HTTPStatus.FORBIDDEN), None)
    if refusal is not None and len(failures) == len(tasks):
        raise refusal
    left_out = len(failures) + len(late)
    return newest, f"{left_out} of {len(tasks)} containers did not respond" if left_out else ""


async def _lines(api: Api, path: str, params: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Yield the lines of a log, each truncated to 64 kB. Raises ApiError."""
    lines = Lines(_MAX_LINE_BYTES)
    async with contextlib.aclosing(api.chunks(path, params, _SILENCE_SECONDS)) as chunks:
        async for chunk in chunks:
            for line in lines.add(chunk):
                yield line
    for line in lines.end():
        yield line


def _line(line: str, pod: str, container: str) -> _Read:
    """Parse a line of a pod's log: the node's timestamp, then text or a JSON record, which is shown as level and
    message.
    """
    time, _, content = line.partition(" ")
    text = content
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        record = None
    if isinstance(record, dict) and "message" in record:
        parts = (record.get("level", ""), record["message"], record.get("exception") or record.get("exc_info") or "")
        text = " ".join(str(part) for part in parts if part)
    entry = loglines.LogEntry.of(loglines.part_of(container), content)
    return _Read(time, pod, text[:_MAX_TEXT_CHARS], entry)
