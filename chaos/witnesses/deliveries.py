"""Results at `spec.output.uri`, one place for each job: a folder below one of the run's, or an address in its bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from chaos import clock
from chaos.judge.evidence import DeliveredCopy
from chaos.polling import Poller
from chaos.system.load import UserJob
from chaos.witnesses import objects, sealed

_Key = tuple[str, str]


class Deliveries:
    """The results, read by a `Poller`; each distinct state is kept, by the job's namespace and name.

    They lie in `<namespace>/<name>` of the folder and of the bucket; `bucket` is where the S3 server keeps its objects.
    """

    def __init__(self, folder: Path, bucket: Path) -> None:
        self._folder = folder
        self._bucket = bucket
        self.poller = Poller("deliveries", self._look)
        self._marks: dict[_Key, str] = {}
        self._found: dict[_Key, list[DeliveredCopy]] = {}

    def found(self, jobs: Iterable[UserJob]) -> dict[str, list[DeliveredCopy]]:
        """By uid: each state that was seen of the result of a job that wants it delivered."""
        return {job.uid: self._found.get((job.namespace, job.name), []) for job in jobs if job.output_uri}

    def there(self, jobs: Iterable[UserJob]) -> dict[str, DeliveredCopy]:
        """By uid: the result as it is now, complete or not."""
        read = {job.uid: self._read(job) for job in jobs if job.output_uri}
        return {uid: delivery for uid, delivery in read.items() if delivery is not None}

    def hidden(self, jobs: Iterable[UserJob]) -> dict[str, list[str]]:
        """By uid: partial and replaced results: hidden folders beside a job's copy, and objects that no pointer names."""
        return {job.uid: self._hidden(job) for job in jobs if job.output_uri}

    def _read(self, job: UserJob) -> DeliveredCopy | None:
        if objects.is_object(job.output_uri):
            return objects.read(self._bucket / job.namespace / job.name, job.output_uri)
        return _read(self._folder / job.namespace / job.name)

    def _hidden(self, job: UserJob) -> list[str]:
        if objects.is_object(job.output_uri):
            return objects.hidden(self._bucket / job.namespace / job.name)
        return [path.name for path in (self._folder / job.namespace).glob(f".{job.uid}.*")]

    def _look(self) -> None:
        for manifest in self._folder.glob(f"[!.]*/[!.]*/{sealed.MANIFEST}"):
            self._keep(manifest, _read)
        for pointer in self._bucket.glob(f"[!.]*/[!.]*/{objects.POINTER}"):
            self._keep(pointer, lambda place: objects.read(place, self._address(place)))

    def _keep(self, mark: Path, read: Callable[[Path], DeliveredCopy | None]) -> None:
        """Add the result if it is new; the file `mark` changes with it."""
        key, before = (mark.parent.parent.name, mark.parent.name), sealed.digest(mark)
        if before and self._marks.get(key) != before:
            delivery = read(mark.parent)
            # One that is being replaced now is read at the next poll.
            if delivery is not None and before == sealed.digest(mark):
                self._marks[key] = before
                self._found.setdefault(key, []).append(delivery)

    def _address(self, place: Path) -> str:
        return f"s3://{place.relative_to(self._bucket.parent).as_posix()}/"


def _read(folder: Path) -> DeliveredCopy | None:
    """None if there is no folder."""
    try:
        return sealed.read(folder, f"file://{folder}")
    except FileNotFoundError:
        return DeliveredCopy(clock.now(), "", "", "it has no manifest") if folder.exists() else None
