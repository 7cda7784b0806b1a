"""Deliveries: the results at `spec.output.uri`, in a folder or a bucket of the run, one place for each job."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from chaos import clock
from chaos.judge.evidence import DeliveredCopy
from chaos.polling import Poller
from chaos.system.load import UserJob

_Key = tuple[str, str]
_POINTER = "result.json"
MANIFEST = "manifest.json"


class Deliveries:
    """Polls the delivered results and keeps each distinct state, by the job's namespace and name.

    They are in `<namespace>/<name>` of the folder and of the bucket; `bucket` is where the S3 server stores its
    objects.
    """

    def __init__(self, folder: Path, bucket: Path) -> None:
        self._folder = folder
        self._bucket = bucket
        self.poller = Poller("deliveries", self._poll)
        self._marks: dict[_Key, str] = {}
        self._found: dict[_Key, list[DeliveredCopy]] = {}

    def found(self, jobs: Iterable[UserJob]) -> dict[str, list[DeliveredCopy]]:
        """Return by uid each observed state of the result, for jobs with `spec.output`."""
        return {job.uid: self._found.get((job.namespace, job.name), []) for job in jobs if job.output_uri}

    def there(self, jobs: Iterable[UserJob]) -> dict[str, DeliveredCopy]:
        """Return by uid the result as it is now, complete or not."""
        read = {job.uid: self._read(job) for job in jobs if job.output_uri}
        return {uid: delivery for uid, delivery in read.items() if delivery is not None}

    def hidden(self, jobs: Iterable[UserJob]) -> dict[str, list[str]]:
        """Return by uid partial and replaced results: hidden folders beside a copy, and objects
        that no pointer names.
        """
        return {job.uid: self._hidden(job) for job in jobs if job.output_uri}

    def _read(self, job: UserJob) -> DeliveredCopy | None:
        if job.output_uri.startswith("s3://"):
            return _read_object(self._bucket / job.namespace / job.name, job.output_uri)
        return _read(self._folder / job.namespace / job.name)

    def _hidden(self, job: UserJob) -> list[str]:
        if job.output_uri.startswith("s3://"):
            return _hidden_objects(self._bucket / job.namespace / job.name)
        return [path.name for path in (self._folder / job.namespace).glob(f".{job.uid}.*")]

    def _poll(self) -> None:
        for manifest in self._folder.glob(f"[!.]*/[!.]*/{MANIFEST}"):
            self._keep(manifest, _read)
        for pointer in self._bucket.glob(f"[!.]*/[!.]*/{_POINTER}"):
            self._keep(pointer, lambda place: _read_object(place, self._address(place)))

    def _keep(self, mark: Path, read: Callable[[Path], DeliveredCopy | None]) -> None:
        """Add the result if it is new, as shown by the digest of the file `mark`."""
        key, before = (mark.parent.parent.name, mark.parent.name), _digest(mark)
        if before and self._marks.get(key) != before:
            delivery = read(mark.parent)
            # A result that is being replaced is read at the next poll.
            if delivery is not None and before == _digest(mark):
                self._marks[key] = before
                self._found.setdefault(key, []).append(delivery)

    def _address(self, place: Path) -> str:
        return f"s3://{place.relative_to(self._bucket.parent).as_posix()}/"


def _read(folder: Path) -> DeliveredCopy | None:
    """Return None if there is no folder."""
    try:
        return _sealed(folder, f"file://{folder}")
    except FileNotFoundError:
        return DeliveredCopy(clock.now(), "", "", "the copy has no manifest") if folder.exists() else None


def _read_object(folder: Path, uri: str) -> DeliveredCopy | None:
    """Return the result that the pointer at the address `uri` names; its objects are in the folder.

    None if there is no object.
    """
    if not _names(folder):
        return None
    below = _pointed(folder)
    if below is None:
        return DeliveredCopy(clock.now(), "", "", "there are objects, but no pointer")
    try:
        return _sealed(folder / below, f"{uri.rstrip('/')}/{below}")
    except FileNotFoundError:
        return DeliveredCopy(clock.now(), "", "", f"the pointer names {below}, which has no manifest")


def _hidden_objects(folder: Path) -> list[str]:
    """Return the objects at the address that do not belong to the pointer's result."""
    below = _pointed(folder)
    return sorted(name for name in _names(folder) if name != _POINTER and (below is None or not name.startswith(below)))


def _pointed(folder: Path) -> str | None:
    """Return the folder that the pointer names; None if there is no pointer."""
    try:
        return str(json.loads((folder / _POINTER).read_bytes())["folder"])
    except FileNotFoundError:
        return None


def _sealed(folder: Path, uri: str) -> DeliveredCopy:
    """Return the result in the folder, whose address is `uri`. Raises FileNotFoundError if there is no manifest."""
    raw = (folder / MANIFEST).read_bytes()
    content = json.loads(raw)
    wrong = [file["name"] for file in content["files"] if _digest(folder / file["name"]) != file["sha256"]]
    more = _names(folder) - {file["name"] for file in content["files"]} - {MANIFEST}
    problems = [f"{wrong} differ from the manifest"] if wrong else []
    problems += [f"{sorted(more)} are not in the manifest"] if more else []
    return DeliveredCopy(
        clock.now(), content["attempt"]["job"]["uid"], hashlib.sha256(raw).hexdigest(), "; ".join(problems), uri
    )


def _names(folder: Path) -> set[str]:
    """Return the files below the folder; folders may disappear meanwhile."""
    return {(Path(root) / name).relative_to(folder).as_posix() for root, _, files in os.walk(folder) for name in files}


def _digest(path: Path) -> str:
    """Return the digest of the file's content; empty if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
