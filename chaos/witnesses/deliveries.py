"""Copies at `spec.output.uri`: one folder for each job, `<namespace>/<name>` below a folder of the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from chaos import clock
from chaos.judge.evidence import DeliveredCopy
from chaos.polling import Poller
from chaos.system.load import UserJob

_MANIFEST = "manifest.json"


class Deliveries:
    """The copies, read by a `Poller`; each distinct state is kept, by the job's namespace and name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.poller = Poller("deliveries", self._look)
        self._found: dict[tuple[str, str], list[DeliveredCopy]] = {}

    def found(self, jobs: Iterable[UserJob]) -> dict[str, list[DeliveredCopy]]:
        """By uid: each state that was seen of the copy of a job that wants one."""
        return {job.uid: self._found.get((job.namespace, job.name), []) for job in jobs if job.output_uri}

    def there(self, jobs: Iterable[UserJob]) -> dict[str, DeliveredCopy]:
        """By uid: the copy as it is now, complete or not."""
        read = {job.uid: _read(self._folder / job.namespace / job.name) for job in jobs if job.output_uri}
        return {uid: delivery for uid, delivery in read.items() if delivery is not None}

    def hidden(self, jobs: Iterable[UserJob]) -> dict[str, list[str]]:
        """By uid: hidden folders beside a job's copy, which are named by its uid: partial and replaced copies."""
        return {
            job.uid: [path.name for path in (self._folder / job.namespace).glob(f".{job.uid}.*")]
            for job in jobs
            if job.output_uri
        }

    def _look(self) -> None:
        for manifest in self._folder.glob(f"[!.]*/[!.]*/{_MANIFEST}"):
            known = self._found.setdefault((manifest.parent.parent.name, manifest.parent.name), [])
            digest = _digest(manifest)
            if digest and (not known or known[-1].digest != digest):
                delivery = _read(manifest.parent)
                # A copy that is being replaced now is read at the next poll.
                if delivery is not None and delivery.digest == digest == _digest(manifest):
                    known.append(delivery)


def _read(folder: Path) -> DeliveredCopy | None:
    """None if there is no folder."""
    if not folder.exists():
        return None
    try:
        raw = (folder / _MANIFEST).read_bytes()
    except FileNotFoundError:
        return DeliveredCopy(clock.now(), "", "", "it has no manifest")
    content = json.loads(raw)
    wrong = [one["name"] for one in content["files"] if _digest(folder / one["name"]) != one["sha256"]]
    more = _names(folder) - {one["name"] for one in content["files"]} - {_MANIFEST}
    problems = [f"{wrong} differ from the manifest"] if wrong else []
    problems += [f"{sorted(more)} are not in the manifest"] if more else []
    return DeliveredCopy(clock.now(), content["jobId"], hashlib.sha256(raw).hexdigest(), "; ".join(problems))


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _digest(path: Path) -> str:
    """Empty if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
