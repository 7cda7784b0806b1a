"""Delivery destination: the objects and the pointer at an address, and which attempt may replace them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import failures, layout
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.layout import Pointer
from reconstruction_operator.transfer.runs import DeliveringRun

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutMode, UpdateVersion

    from reconstruction_operator.transfer.objects.store import Store

_PAGE = 500
_TRIES = 5
_PROBE = b"A worker wrote this to test its write permission. It can be deleted.\n"
_NOT_IMPLEMENTED = "status code: 501"


@dataclass(frozen=True, slots=True)
class Standing:
    """The pointer object as it is stored.

    Without `version` there is none; without `pointer` another program wrote it.
    """

    pointer: Pointer | None = None
    version: UpdateVersion | None = None

    def of(self, job_id: str) -> Pointer | None:
        """Return the pointer if it is to a result of that job."""
        return self.pointer if self.pointer is not None and self.pointer.job_id == job_id else None


@dataclass(frozen=True, slots=True)
class Destination:
    """The address of a job's results, as a run may use it."""

    store: Store
    address: ObjectAddress
    run: DeliveringRun

    def standing(self) -> Standing:
        """Read the pointer object."""
        try:
            stored = self.store.get(self.address.below(layout.POINTER))
        except FileNotFoundError as error:
            if failures.is_missing_bucket(error):
                raise
            return Standing()
        # Another program may have written an object that is too large for memory.
        content = b"" if stored.meta["size"] > layout.MAX_POINTER_BYTES else bytes(stored.bytes())
        version: UpdateVersion = {}  # the client does not accept None
        if stored.meta["e_tag"] is not None:
            version["e_tag"] = stored.meta["e_tag"]
        if stored.meta["version"] is not None:
            version["version"] = stored.meta["version"]
        return Standing(Pointer.parse(content), version)

    def refuse_others(self, standing: Standing) -> None:
        """Raise StorageError if the address contains foreign objects, SupersededError if a later
        attempt has delivered.
        """
        pointer = standing.pointer
        if standing.version is None:
            self._refuse_foreign_objects()
        elif pointer is None or pointer.job_id not in (self.run.job_id, *self.run.predecessors):
            whose = "is not a result of this operator" if pointer is None else "is the result of another job"
            raise StorageError("OUTPUT_REFUSED", f"{self.address} is not empty: its {layout.POINTER} {whose}")
        elif pointer.job_id == self.run.job_id and pointer.attempt > self.run.number:
            raise SupersededError

    def probe(self) -> None:
        """Write a small object and delete it, so that a job without write permission fails before its work.

        If the worker dies in between, the object stays. It counts as a part of this attempt's result, and is deleted
        with it.
        """
        key = self.address.below(f"{self.run.job_id}/{layout.probe_of(self.run.number)}")
        self.store.put(key, _PROBE, attributes={"Content-Type": "text/plain"}, use_multipart=False)
        with failures.translating(self.address, failures.DELETION):
            self.store.delete([key])

    def point(self, new: Pointer, standing: Standing, check: Callable[[], None]) -> None:
        """Write the pointer `new`, by optimistic concurrency where the server supports it: only over the version that
        was read.

        `check` raises if another run has taken over, since the pointer does not show a run of the same attempt.
        """
        for _ in range(_TRIES):
            check()
            if self._write(new, standing):
                return
            standing = self.standing()  # another run was faster, or this one succeeded and the response was lost
            if standing.pointer == new:
                return
            self.refuse_others(standing)
        raise StorageError("OUTPUT_UPLOAD_FAILED", f"{layout.POINTER} at {self.address} keeps changing")

    def pages(self, folder: str) -> Iterator[Sequence[ObjectMeta]]:
        """Yield pages of the objects in a folder below the address. Other programs may have written millions."""
        return self.store.list(self.address.below(folder).rstrip("/"), chunk_size=_PAGE)

    def stored(self, folder: str, keys: Collection[str]) -> dict[str, int]:
        """Return the sizes in bytes of those objects in a folder below the address that have one of the keys."""
        return {meta["path"]: meta["size"] for page in self.pages(folder) for meta in page if meta["path"] in keys}

    def outdated(self, current: str) -> Iterator[list[str]]:
        """Yield pages, none empty, of the keys of all files and probes of this and earlier attempts, except in the
        folder `current`.
        """
        folder = self.address.below(f"{self.run.job_id}/")
        for page in self.pages(f"{self.run.job_id}/"):
            keys = []
            for meta in page:
                name = meta["path"].removeprefix(folder).partition("/")[0]
                attempt = layout.attempt_of(name)
                if attempt is not None and attempt <= self.run.number and f"{self.run.job_id}/{name}/" != current:
                    keys.append(meta["path"])
            if keys:
                yield keys

    def _write(self, new: Pointer, standing: Standing) -> bool:
        key = self.address.below(layout.POINTER)
        content = new.to_bytes()
        attributes = {"Content-Type": "application/json"}
        try:
            mode: PutMode = "create" if standing.version is None else standing.version
            self.store.put(key, content, attributes=attributes, mode=mode, use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return False
        except Exception as error:
            if not isinstance(error, NotSupportedError) and _NOT_IMPLEMENTED not in str(error):
                raise
            self.store.put(key, content, attributes=attributes, use_multipart=False)
        return True

    def _refuse_foreign_objects(self) -> None:
        """Read pages until the first foreign name, since a job may name a folder of millions of objects."""
        for page in self.store.list(self.address.key, chunk_size=_PAGE):
            for meta in page:
                name = meta["path"].removeprefix(self.address.key).strip("/").partition("/")[0]
                if name not in ("", self.run.job_id):
                    text = f"{self.address} is not empty, and holds no result of this job (it contains {name!r:.60})"
                    raise StorageError("OUTPUT_REFUSED", text)
