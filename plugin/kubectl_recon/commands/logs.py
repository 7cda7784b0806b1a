"""`logs`: log lines about one job, from every operator and worker pod that handled the job, or through the gallery."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reconstruction_operator.kube import parsing, paths
from reconstruction_operator.kube.reflector import Lines

from kubectl_recon.display.screen import note
from kubectl_recon.errors import ForbiddenError, NotFoundError, ReconError
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.gallery.reaching import Way, reached, token
from kubectl_recon.installation import published
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import parse_time
from kubectl_recon.kube.api import Api, Connection
from kubectl_recon.targets.selecting import find

_PODS: Final = "app.kubernetes.io/part-of=reconstruction"
_PROGRAMS: Final = ("operator", "worker")  # containers that log about jobs
_LOOK_SECONDS: Final = 1.0
_GALLERY_SECONDS: Final = 5.0  # between two requests: for each it reads all logs
_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """A log line about the job."""

    when: datetime
    text: str


def run(connection: Connection, name: str, way: Way, *, follow: bool, raw: bool) -> int:
    """Print the lines about the job in chronological order. With `follow`, also new lines, until the job finishes."""
    job = find(connection, name)
    namespace = published.read(connection.api, [job]).namespace
    try:
        pods = _pods(connection.api, namespace)
    except ForbiddenError:
        pods = []  # tenants may not list them
    if not pods:
        return _through_gallery(connection, job, way, follow=follow)
    if follow:
        return _follow(connection, job, namespace, raw=raw)
    lines: list[Line] = []
    for pod, container in pods:
        lines += _lines_of(connection.api, namespace, pod, container, job, raw=raw)
    for line in sorted(lines, key=lambda line: line.when):
        print(line.text)  # noqa: T201  # the result
    if not lines:
        note(f"{job.name}: the logs of {len(pods)} containers have no line about it (nodes keep only recent logs)")
    return 0


def _through_gallery(connection: Connection, job: Job, way: Way, *, follow: bool) -> int:
    """Print what the gallery reads for users who may see the job. With `follow`, also later lines, until the job finishes."""
    printed: set[tuple[str, str, str]] = set()
    with reached(connection, published.gallery(connection.api, [job], way)) as url:
        gallery = Gallery(url, token(connection, way))
        while True:
            finished = _has_finished(connection, job)
            log = gallery.log(job)
            for line in log["lines"]:
                fields = (line["time"], line["source"], line["text"])
                if fields not in printed:
                    print(readable(fields[2], fields[0], fields[1]), flush=True)  # noqa: T201  # the result
                    printed.add(fields)
            if finished or not follow:
                break
            time.sleep(_GALLERY_SECONDS)
    if log["leftOut"]:
        note(log["leftOut"])
    return 0 if printed else 1


def _pods(api: Api, namespace: str) -> list[tuple[str, str]]:
    """Return pods and containers of operator and workers. Raises ForbiddenError."""
    bodies = api.items(paths.core(namespace, "pods"), labelSelector=_PODS)
    return [
        (str(pod["metadata"]["name"]), str(container["name"]))
        for pod in bodies
        for container in pod["spec"]["containers"]
        if container["name"] in _PROGRAMS
    ]


def _lines_of(api: Api, namespace: str, pod: str, container: str, job: Job, *, raw: bool) -> list[Line]:
    path = paths.core(namespace, "pods", pod) + "/log"
    try:
        text = api.text(path, container=container, timestamps="true", sinceTime=_created(job))
    except ForbiddenError:
        raise
    except ReconError as error:  # the pod starts or was just deleted
        note(f"{pod}: {error}")
        return []
    return list(_about(text.splitlines(), pod, job, raw=raw))


def _created(job: Job) -> str | None:
    return str(job.metadata.get("creationTimestamp") or "") or None


def _about(lines: Sequence[str], pod: str, job: Job, *, raw: bool) -> Iterator[Line]:
    for line in lines:
        when, _, content = line.partition(" ")
        if is_about(content, job):
            yield Line(parse_time(when) or _NO_TIME, content if raw else readable(content, when, pod))


def is_about(content: str, job: Job) -> bool:
    """Return whether a log line is about the job: by fields of JSON, or by the uid or namespace/name in plain text."""
    if content.startswith("{"):
        try:
            fields: Mapping[str, Any] = parsing.parse(content.encode())
        except ValueError:
            return False
        if fields.get("uid"):
            return bool(fields["uid"] == job.uid)
        # In a worker's line the uid is `job_id`. A line without a uid is identified by the names.
        return fields.get("job_id") == job.uid or (
            fields.get("namespace") == job.namespace and fields.get("job") == job.name
        )
    return job.uid in content or f" {job.namespace}/{job.name} " in f" {content} ".replace(":", " ")


def readable(content: str, when: str, pod: str) -> str:
    """Format a JSON line as text: time, level, pod, message."""
    clock = when[11:19]
    try:
        fields: Mapping[str, Any] = parsing.parse(content.encode())
        level, message = str(fields.get("level", "INFO")), str(fields.get("message", content))
    except (ValueError, AttributeError):
        return f"{clock} {pod} {content}"
    trace = fields.get("exception") or fields.get("exc_info")
    return f"{clock} {level:<7} {pod} {message}" + (f"\n{trace}" if trace else "")


def _follow(connection: Connection, job: Job, namespace: str, *, raw: bool) -> int:
    readers = _Readers(connection.api, job, namespace, raw=raw)
    readers.look()
    while True:
        try:
            line = readers.lines.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if _has_finished(connection, job):
                return 0
            readers.look()
            continue
        if isinstance(line, ReconError):
            note(str(line))
        else:
            print(line.text, flush=True)  # noqa: T201  # the result


class _Readers:
    """Threads that read the log of each container, also of pods that start later: the job may move to one of them."""

    def __init__(self, api: Api, job: Job, namespace: str, *, raw: bool) -> None:
        self.lines: queue.Queue[Line | ReconError] = queue.Queue()
        self._api, self._job, self._namespace, self._raw = api, job, namespace, raw
        self._reading: set[tuple[str, str]] = set()
        self._read_until: dict[tuple[str, str], str] = {}  # timestamp of the last line

    def look(self) -> None:
        """Start a thread for each container that none reads: of a new pod, or one that was not ready or has restarted."""
        for container in _pods(self._api, self._namespace):
            if container not in self._reading:
                self._reading.add(container)
                threading.Thread(target=self._read, args=(container,), daemon=True).start()

    def _read(self, of: tuple[str, str]) -> None:
        pod, container = of
        path = paths.core(self._namespace, "pods", pod) + "/log"
        since = self._read_until.get(of) or _created(self._job)
        try:
            lines, query = Lines(), {"container": container, "timestamps": "true", "follow": "true", "sinceTime": since}
            with closing(self._api.chunks(path, query, None)) as chunks:
                for line in (line for chunk in chunks for line in lines.take(chunk)):
                    self._take(of, line.decode(errors="replace"))
            for line in lines.end():
                self._take(of, line.decode(errors="replace"))
        except ForbiddenError as error:
            self.lines.put(error)  # reported once, without a retry
            return
        except ReconError:  # the pod starts or was just deleted
            pass
        self._reading.discard(of)

    def _take(self, of: tuple[str, str], line: str) -> None:
        when = line.partition(" ")[0]
        if when <= self._read_until.get(of, ""):
            return  # sinceTime has whole seconds: the API server repeats lines
        self._read_until[of] = when
        for about in _about([line], of[0], self._job, raw=self._raw):
            self.lines.put(about)


def _has_finished(connection: Connection, job: Job) -> bool:
    try:
        return Job(connection.api.get(paths.job(job.namespace, job.name))).finished
    except NotFoundError:
        return True
