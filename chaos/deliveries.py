"""What was delivered to `spec.output.uri`: a folder for each job, below one of the run, `<namespace>/<name>`."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable
from pathlib import Path

from chaos import clock
from chaos.evidence import Delivery
from chaos.load import Job

_MANIFEST = "manifest.json"
_LOOK_SECONDS = 0.5


class Deliveries:
    """Looks at the folders in a thread, and keeps every distinct state of each, by the job's namespace and name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="deliveries", daemon=True)
        self._found: dict[tuple[str, str], list[Delivery]] = {}

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join(timeout=30)

    def found(self, jobs: Iterable[Job]) -> dict[str, list[Delivery]]:
        """By uid: what was seen of each job that wants a delivery."""
        return {job.uid: self._found.get((job.namespace, job.name), []) for job in jobs if job.output_uri}

    def there(self, jobs: Iterable[Job]) -> dict[str, Delivery]:
        """By uid: what lies there at this moment, whole or not."""
        read = {job.uid: _read(self._folder / job.namespace / job.name) for job in jobs if job.output_uri}
        return {uid: delivery for uid, delivery in read.items() if delivery is not None}

    def hidden(self, jobs: Iterable[Job]) -> dict[str, list[str]]:
        """By uid: what lies beside a job's folder and was to be gone, named by its uid: copies that were begun or replaced."""
        return {
            job.uid: [path.name for path in (self._folder / job.namespace).glob(f".{job.uid}.*")]
            for job in jobs
            if job.output_uri
        }

    def _work(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        for manifest in self._folder.glob(f"[!.]*/[!.]*/{_MANIFEST}"):
            known = self._found.setdefault((manifest.parent.parent.name, manifest.parent.name), [])
            try:
                digest = _digest(manifest)
            except FileNotFoundError:
                continue
            if not known or known[-1].digest != digest:
                delivery = _read(manifest.parent)
                # One that makes way for another at this moment is read the next time.
                if delivery is not None and delivery.digest == digest and _same(manifest, digest):
                    known.append(delivery)


def _same(manifest: Path, digest: str) -> bool:
    try:
        return _digest(manifest) == digest
    except FileNotFoundError:
        return False


def _read(folder: Path) -> Delivery | None:
    """None where there is no folder."""
    if not folder.exists():
        return None
    try:
        raw = (folder / _MANIFEST).read_bytes()
    except FileNotFoundError:
        return Delivery(clock.now(), "", "", "it has no manifest")
    content = json.loads(raw)
    wrong = [one["name"] for one in content["files"] if not _is_as_said(folder, one)]
    more = _names(folder) - {one["name"] for one in content["files"]} - {_MANIFEST}
    problems = [f"{wrong} are not there as the manifest says"] if wrong else []
    problems += [f"{sorted(more)} are there, and the manifest says nothing of them"] if more else []
    return Delivery(clock.now(), content["jobId"], hashlib.sha256(raw).hexdigest(), "; ".join(problems))


def _is_as_said(folder: Path, said: dict[str, object]) -> bool:
    try:
        return _digest(folder / str(said["name"])) == said["sha256"]
    except FileNotFoundError:
        return False


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
