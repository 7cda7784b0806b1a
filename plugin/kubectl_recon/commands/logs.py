"""`logs`: log lines about one job, from every operator and worker pod that handled the job, or through the gallery."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from reconstruction_operator.kube import loglines, parsing, paths
from reconstruction_operator.kube.loglines import LogEntry
from reconstruction_operator.transfer.names import printable

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


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A log line about the job: `entry` is what it says, `text` the whole of it."""

    when: datetime
    text: str
    entry: LogEntry = field(compare=False)


class Shown(enum.Enum):
    """What of the lines is printed."""

    SHORT = enum.auto()  # time, part and sentence, without what adds nothing
    WIDE = enum.auto()  # every line: time, level, pod, message and traceback
    RAW = enum.auto()  # every line as the pod wrote it


def run(
    connection: Connection, name: str, way: Way, *, follow: bool, shown: Shown, pause_seconds: float = _LOOK_SECONDS
) -> int:
    """Print the lines about the job in chronological order. With `follow`, also new lines, until the job finishes."""
    job = find(connection, name)
    pods = _Pods(connection.api, job, published.read(connection.api, [job]).namespace, raw=shown is Shown.RAW)
    try:
        if pods.containers():
            return _print(connection, job, pods.read, shown, pause_seconds if follow else None)
    except ForbiddenError:
        pass  # tenants may not read them
    way = published.gallery(connection.api, [job], way)
    with reached(connection, way) as url:
        gallery = Gallery(url, token(connection, way))
        noted: set[str] = set()
        seconds = _GALLERY_SECONDS if follow else None
        return _print(connection, job, lambda: _of_gallery(gallery, job, noted), shown, seconds)


def _print(
    connection: Connection, job: Job, read: Callable[[], Iterable[Line]], shown: Shown, seconds: float | None
) -> int:
    """Print the lines that `read` returns; with `seconds` again after that time, until the job has finished."""
    known: dict[Line, None] = {}
    while True:
        last = seconds is None or _has_finished(connection, job)
        new = sorted(set(read()) - known.keys())
        known |= dict.fromkeys(new)
        texts = _short(list(known), job) if shown is Shown.SHORT else (line.text for line in known)
        for text in islice(texts, len(known) - len(new), None):
            if text:
                print(text, flush=True)  # noqa: T201  # the result
        if last and not known:
            note(f"{job.name}: the logs have no line about it (nodes keep only recent logs)")
        if last:
            return 0
        time.sleep(seconds or 0)


def _short(lines: Sequence[Line], job: Job) -> Iterator[str]:
    """Yield time, part and sentence of each line; empty for a line that adds nothing to those before."""
    said = loglines.sentences([line.entry for line in lines], job.namespace, job.name)
    for line, sentence in zip(lines, said, strict=True):
        yield sentence and f"{line.when:%H:%M:%S}  {line.entry.part:<8}  {printable(sentence.expandtabs())}"


def _of_gallery(gallery: Gallery, job: Job, noted: set[str]) -> Iterator[Line]:
    log = gallery.log(job)
    if log["leftOut"] and log["leftOut"] not in noted:
        note(log["leftOut"])
        noted.add(log["leftOut"])
    for line in log["lines"]:
        text = readable(line["text"], line["time"], line["source"])
        yield Line(parse_time(line["time"]) or _NO_TIME, text, LogEntry(line["part"], line["sentence"]))


class _Pods:
    """The logs of operator and workers, also of pods that start later: the job may move to one of them."""

    def __init__(self, api: Api, job: Job, namespace: str, *, raw: bool) -> None:
        self._api, self._job, self._raw = api, job, raw
        self._path = paths.core(namespace, "pods")
        self._read_until: dict[tuple[str, str], str] = {}  # timestamp of the last line

    def containers(self) -> list[tuple[str, str]]:
        """Return pods and containers. Raises ForbiddenError."""
        return [
            (str(pod["metadata"]["name"]), str(container["name"]))
            for pod in self._api.items(self._path, labelSelector=_PODS)
            for container in pod["spec"]["containers"]
            if container["name"] in _PROGRAMS
        ]

    def read(self) -> Iterator[Line]:
        """Yield the lines about the job since the last call; some twice, since sinceTime has whole seconds.

        Raises ForbiddenError.
        """
        for pod, container in self.containers():
            since = self._read_until.get((pod, container)) or self._job.metadata.get("creationTimestamp")
            query = {"container": container, "timestamps": "true", "sinceTime": since}
            try:
                text = self._api.text(f"{self._path}/{pod}/log", **query)
            except ForbiddenError:
                raise
            except ReconError:  # the pod starts or was just deleted
                continue
            for line in text.splitlines():
                when, _, content = line.partition(" ")
                self._read_until[pod, container] = when
                if is_about(content, self._job):
                    shown = content if self._raw else readable(content, when, pod)
                    entry = LogEntry.of(loglines.part_of(container), content)
                    yield Line(parse_time(when) or _NO_TIME, shown, entry)


def is_about(content: str, job: Job) -> bool:
    """Return whether a log line is about the job: by its fields, or without a uid by the names, or by the uid in plain
    text.
    """
    if uid := loglines.uid_of(content):
        return uid == job.uid
    if content.startswith("{"):
        try:
            fields: Mapping[str, Any] = parsing.parse(content.encode())
        except ValueError:
            return False
        return fields.get("namespace") == job.namespace and fields.get("job") == job.name
    return job.uid in content or f" {job.namespace}/{job.name} " in f" {content} ".replace(":", " ")


def readable(content: str, when: str, pod: str) -> str:
    """Format a JSON line as text: time, level, pod, message. Models write some: no escape reaches the terminal."""
    return "\n".join(printable(line.expandtabs()) for line in _formatted(content, when, pod).splitlines())


def _formatted(content: str, when: str, pod: str) -> str:
    clock = when[11:19]
    try:
        fields: Mapping[str, Any] = parsing.parse(content.encode())
        level = str(fields.get("level", "INFO"))
        message = str(fields.get("message", content))
    except (ValueError, AttributeError):
        return f"{clock} {pod} {content}"
    trace = fields.get("exception") or fields.get("exc_info")
    return f"{clock} {level:<7} {pod} {message}" + (f"\n{trace}" if trace else "")


def _has_finished(connection: Connection, job: Job) -> bool:
    try:
        return Job(connection.api.get(paths.job(job.namespace, job.name))).finished
    except NotFoundError:
        return True
