"""`logs`: what operator and workers log about one job, whichever of them had it."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kubectl_recon.display.screen import note
from kubectl_recon.errors import ForbiddenError, NotFoundError, ReconError
from kubectl_recon.fleet import operator
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import parse_time
from kubectl_recon.kube import resources
from kubectl_recon.kube.api import Api
from kubectl_recon.kube.connection import Connection
from kubectl_recon.targets.selecting import one

_PODS: Final = "app.kubernetes.io/part-of=reconstruction"
_PROGRAMS: Final = ("operator", "worker")  # containers that log about jobs
_LOOK_SECONDS: Final = 1.0
_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log about the job."""

    when: datetime
    pod: str
    text: str


def run(connection: Connection, name: str, *, follow: bool, raw: bool) -> int:
    """Print the lines about the job, in the order of their times. With `follow` also those to come, until it is over."""
    job = one(connection, name)
    namespace, _ = operator.where([job])
    pods = _pods(connection.api, namespace)
    if not pods:
        note(f"there are no pods of operator and workers in namespace {namespace}: see where they run for their logs")
        return 1
    if follow:
        return _follow(connection, job, namespace, pods, raw=raw)
    found: list[Line] = []
    for pod, container in pods:
        found += _lines_of(connection.api, namespace, pod, container, job, raw=raw)
    for line in sorted(found, key=lambda line: line.when):
        print(line.text)  # noqa: T201  # the result
    if not found:
        note(f"{job.name}: the logs of {len(pods)} containers say nothing about it (they hold what their nodes keep)")
    return 0


def _pods(api: Api, namespace: str) -> list[tuple[str, str]]:
    """Pods and containers of operator and workers. Raises ForbiddenError in plain words."""
    try:
        bodies, _ = api.items(resources.core(namespace, "pods"), labelSelector=_PODS)
    except ForbiddenError as error:
        raise ForbiddenError(
            error.status,
            f"operator and workers run in namespace {namespace}, whose pods you may not see. Ask an administrator for "
            f"get of pods and pods/log there. ({error})",
        ) from error
    return [
        (str(pod["metadata"]["name"]), str(container["name"]))
        for pod in bodies
        for container in pod["spec"]["containers"]
        if container["name"] in _PROGRAMS
    ]


def _lines_of(api: Api, namespace: str, pod: str, container: str, job: Job, *, raw: bool) -> list[Line]:
    path = resources.core(namespace, "pods", pod) + "/log"
    try:
        text = api.text(path, container=container, timestamps="true", sinceTime=_created(job))
    except ForbiddenError:
        raise
    except ReconError as error:  # a pod that starts, or is just deleted
        note(f"{pod}: {error}")
        return []
    return list(_about(text.splitlines(), pod, job, raw=raw))


def _created(job: Job) -> str | None:
    return str(job.metadata.get("creationTimestamp") or "") or None


def _about(lines: Sequence[str], pod: str, job: Job, *, raw: bool) -> Iterator[Line]:
    for line in lines:
        when, _, content = line.partition(" ")
        if is_about(content, job):
            yield Line(parse_time(when) or _NO_TIME, pod, content if raw else readable(content, when, pod))


def is_about(content: str, job: Job) -> bool:
    """Whether a line of a log is about the job: by its fields, or in a text format by its uid or its namespace/name."""
    if content.startswith("{"):
        try:
            fields: Mapping[str, Any] = json.loads(content)
        except ValueError:
            return False
        if fields.get("uid"):
            return bool(fields["uid"] == job.uid)
        # A worker has the uid as its job's id; without one the names alone say which.
        return fields.get("job_id") == job.uid or (
            fields.get("namespace") == job.namespace and fields.get("job") == job.name
        )
    return job.uid in content or f" {job.namespace}/{job.name} " in f" {content} ".replace(":", " ")


def readable(content: str, when: str, pod: str) -> str:
    """A JSON line as text: time, level, pod, message."""
    clock = when[11:19]
    try:
        fields: Mapping[str, Any] = json.loads(content)
        level, message = str(fields.get("level", "INFO")), str(fields.get("message", content))
    except (ValueError, AttributeError):
        return f"{clock} {pod} {content}"
    trace = fields.get("exception") or fields.get("exc_info")
    return f"{clock} {level:<7} {pod} {message}" + (f"\n{trace}" if trace else "")


def _follow(connection: Connection, job: Job, namespace: str, pods: Sequence[tuple[str, str]], *, raw: bool) -> int:
    found: queue.Queue[Line | ReconError] = queue.Queue()
    api = connection.api

    def read(pod: str, container: str) -> None:
        path = resources.core(namespace, "pods", pod) + "/log"
        try:
            with api.lines(
                path, container=container, timestamps="true", follow="true", sinceTime=_created(job)
            ) as lines:
                for line in lines:
                    for one_line in _about([line.decode(errors="replace")], pod, job, raw=raw):
                        found.put(one_line)
        except ReconError as error:
            found.put(error)

    for pod, container in pods:
        threading.Thread(target=read, args=(pod, container), daemon=True).start()
    while True:
        try:
            line = found.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if _is_over(connection, job):
                return 0
            continue
        if isinstance(line, ReconError):
            note(str(line))
        else:
            print(line.text, flush=True)  # noqa: T201  # the result


def _is_over(connection: Connection, job: Job) -> bool:
    try:
        return Job(connection.api.get(resources.job(job.namespace, job.name))).finished
    except NotFoundError:
        return True
