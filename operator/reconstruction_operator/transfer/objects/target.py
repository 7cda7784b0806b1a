"""Delivery target: the objects and the pointer at an address, and which attempt may replace them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import failures, layout
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.concurrency import Clock, call
from reconstruction_operator.transfer.objects.layout import Pointer

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion

    from reconstruction_operator.transfer.objects.store import Store

T = TypeVar("T")

_PAGE = 500
_TRIES = 5
_PROBE = b"A worker wrote this to test its write permission. It can be deleted.\n"
_NOT_IMPLEMENTED = "status code: 501"


@dataclass(frozen=True, slots=True)
class Standing:
    """The pointer object as it is stored."""

    content: bytes
    version: UpdateVersion

    @property
    def pointer(self) -> Pointer | None:
        """The parsed pointer; None if another program wrote it."""
        return Pointer.parse(self.content)


@dataclass(frozen=True, slots=True)
class Target:
    """The address of one job's results, as attempt `attempt` may use it."""

    store: Store
    address: ObjectAddress
    job_id: str
    attempt: int
    clock: Clock
    tick: Callable[[], None]
    predecessors: tuple[str, ...] = ()  # earlier jobs whose results this job reuses

    def standing(self) -> Standing | None:
        """Read the pointer object; None if there is none."""
        return self.ask(self._read)

    def refuse_others(self, standing: Standing | None) -> None:
        """Raise StorageError if the address contains foreign objects, OvertakenError if a later attempt has delivered."""
        if standing is None:
            self._refuse_foreign_objects()
            return
        pointer = standing.pointer
        if pointer is not None and pointer.job_id in self.predecessors:
            return
        if pointer is None or pointer.job_id != self.job_id:
            whose = "is not a result of this operator" if pointer is None else "is the result of another job"
            raise StorageError("OUTPUT_REFUSED", f"{self.address} is not empty: its {layout.POINTER} {whose}")
        if pointer.attempt > self.attempt:
            raise OvertakenError

    def probe(self) -> None:
        """Write a small object and delete it, so that a job without write permission fails before its work.

        If the worker dies in between, the object stays. It counts as a part of this attempt's result, and is deleted with it.
        """
        key = self.address.below(f"{self.job_id}/{layout.probe_of(self.attempt)}")
        self.ask(lambda: self.store.put(key, _PROBE, attributes={"Content-Type": "text/plain"}, use_multipart=False))
        with failures.translating(self.address, failures.DELETION):
            self.delete([key])

    def point(self, wanted: Pointer, standing: Standing | None, check: Callable[[], None]) -> None:
        """Write the pointer `wanted`, by optimistic concurrency where the server supports it: only over the version that was read.

        `check` raises if another run has taken over, since the pointer does not show a run of the same attempt.
        """
        for _ in range(_TRIES):
            check()
            if self.ask(partial(self._write, wanted, standing)):
                return
            standing = self.standing()  # another run was faster, or this one succeeded and the response was lost
            if standing is not None and standing.pointer == wanted:
                return
            self.refuse_others(standing)
        raise StorageError("OUTPUT_UPLOAD_FAILED", f"{layout.POINTER} at {self.address} keeps changing")

    def unpoint(self) -> None:
        """Delete the pointer."""
        self.ask(lambda: self.store.delete(self.address.below(layout.POINTER)))

    def files(self, folder: str) -> dict[str, int]:
        """Return keys and sizes in bytes of all objects in a folder below the address."""
        return self.ask(lambda: dict(self._files(folder)))

    def delete(self, keys: list[str]) -> None:
        """Delete objects; missing ones are ignored."""
        if keys:
            self.ask(lambda: self.store.delete(keys))

    def ask(self, function: Callable[[], T]) -> T:
        """Call the client, with retries."""
        return call(function, self.clock, self.tick)

    def _read(self) -> Standing | None:
        try:
            found = self.store.get(self.address.below(layout.POINTER))
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise
            return None
        # Another program may have written an object that is too large for memory.
        content = b"" if found.meta["size"] > layout.MAX_POINTER_BYTES else bytes(found.bytes())
        version: UpdateVersion = {}
        if found.meta["e_tag"] is not None:
            version["e_tag"] = found.meta["e_tag"]
        if found.meta["version"] is not None:
            version["version"] = found.meta["version"]
        return Standing(content, version)

    def _write(self, wanted: Pointer, standing: Standing | None) -> bool:
        key, content = self.address.below(layout.POINTER), wanted.to_bytes()
        attributes = {"Content-Type": "application/json"}
        try:
            mode: PutMode = "create" if standing is None else standing.version
            self.store.put(key, content, attributes=attributes, mode=mode, use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return False
        except Exception as error:
            if not isinstance(error, NotSupportedError) and _NOT_IMPLEMENTED not in str(error):
                raise
            self.store.put(key, content, attributes=attributes, use_multipart=False)
        return True

    def _files(self, folder: str) -> Iterator[tuple[str, int]]:
        for page in self.store.list(self.address.below(folder).rstrip("/"), chunk_size=_PAGE):
            yield from ((one["path"], one["size"]) for one in page)

    def _refuse_foreign_objects(self) -> None:
        foreign = self.ask(self._foreign_name)
        if foreign:
            text = f"{self.address} is not empty, and holds no result of this job (it contains {foreign!r:.60})"
            raise StorageError("OUTPUT_REFUSED", text)

    def _foreign_name(self) -> str:
        """Return the first foreign name at the address. Reads pages, since a job may name a folder of millions of objects."""
        for page in self.store.list(self.address.key, chunk_size=_PAGE):
            for one in page:
                name = one["path"].removeprefix(self.address.key).strip("/").partition("/")[0]
                if name not in ("", self.job_id):
                    return name
        return ""
