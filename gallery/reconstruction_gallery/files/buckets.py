"""Results in object storage: read with the gallery's own credentials, from where the pointer at a job's output address
leads.

The author of a job chooses the address, so it is not trusted: the gallery reads only addresses that its settings
(STORAGE_SCHEMES, NAMESPACE_OUTPUTS) allow for the job's namespace, and below them only the folder with the job's uid.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.contract.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, SealedFile
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import failures, layout, process, store
from reconstruction_operator.transfer.objects.address import ObjectAddress, is_object
from reconstruction_operator.transfer.objects.layout import Pointer

from reconstruction_gallery.files.opened import CHUNK_BYTES, NoResultError, UnreadableResultError
from reconstruction_gallery.response_cache import ResponseCache

if TYPE_CHECKING:
    from obstore import BytesStream, GetOptions, GetResult
    from reconstruction_operator.transfer.objects.store import Store

_ANSWER_SECONDS: Final = 20.0  # until a response begins; each read of its body has the store's timeout
_RETRIES: Final = 4  # of a request: about a second
_SMALL_SECONDS: Final = 60.0  # for a whole pointer or manifest
_MAX_BYTES: Final = 32 << 20  # of cached manifests
_NONE_BYTES: Final = 500  # of the answer that there is none
_MAX_VALUES: Final = 100_000  # in a manifest; a worker's of the maximum size has fewer
_VALUE_BYTES: Final = 40  # in memory
_STORES: Final = 32  # cached clients of buckets


@dataclass(frozen=True, slots=True)
class _Delivered:
    """A delivered result: its manifest, and the folder with the files."""

    store: Store
    address: ObjectAddress
    folder: str  # below the address, with a slash at its end
    manifest: Manifest
    bytes: int  # of the manifest in memory


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A file of a delivered result. No request is sent before `read`."""

    result: _Delivered
    sealed: SealedFile

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Return the bytes from `start` to before `end`, in pieces.

        Raises UnreadableResultError, NoResultError for another size.
        """
        if start >= end:
            return _nothing()
        key = self.result.address.below(self.result.folder + self.sealed.name)
        options: GetOptions = {} if (start, end) == (0, self.sealed.bytes) else {"range": (start, end)}
        answer = await _get(self.result.store, key, self.result.address, options)
        if answer.meta["size"] != self.sealed.bytes:
            raise NoResultError(self.sealed.name)
        return _pieces(answer.stream(min_chunk_size=CHUNK_BYTES), end - start, self.result.address)

    def close(self) -> None:
        """Do as `VolumeFile.close`; the connection ends with the pieces."""


class Buckets:
    """Finds results. They are cached for some seconds: a page requests many files of one result."""

    def __init__(self, keep_seconds: float, *, small_seconds: float = _SMALL_SECONDS) -> None:
        self._small_seconds = small_seconds
        self._results: ResponseCache[tuple[str, str], _Delivered | None]
        self._results = ResponseCache(
            keep_seconds, _MAX_BYTES, lambda _, result: result.bytes if result else _NONE_BYTES
        )
        self._store = lru_cache(_STORES)(partial(store.open_store, retries=_RETRIES))

    async def manifest(self, key: JobRef, uri: str) -> Manifest | None:
        """Return the manifest of the result that the job delivered to `uri`; None if there is none.

        Raises UnreadableResultError.
        """
        result = await self._find(key, uri)
        return None if result is None else result.manifest

    async def open(self, key: JobRef, uri: str, name: str) -> ObjectFile:
        """Return a file of that result by its name in the manifest. Raises NoResultError, UnreadableResultError."""
        result = await self._find(key, uri)
        sealed = result and next((file for file in result.manifest.files if file.name == name), None)
        if not result or not sealed or sealed.bytes < 0:
            raise NoResultError(name)
        return ObjectFile(result, sealed)

    async def _find(self, key: JobRef, uri: str) -> _Delivered | None:
        if not is_object(uri):
            return None
        return await self._results.get((key.uid, uri), lambda: self._read(key, uri), key.namespace)

    async def _read(self, key: JobRef, uri: str) -> _Delivered | None:
        seconds = self._small_seconds
        try:
            address = process.ObjectTarget(uri, key.namespace).address
            bucket = self._store(replace(address, key=""))
        except (StorageError, OSError) as error:  # the settings do not allow the address, or are invalid
            text = (error.message if isinstance(error, StorageError) else str(error)).replace(
                "this worker", "the gallery"
            )
            raise UnreadableResultError(f"the gallery cannot read the result: {text}") from error
        content = await _small(bucket, address.below(layout.POINTER), address, layout.MAX_POINTER_BYTES, seconds)
        pointer = None if content is None else Pointer.parse(content)
        if pointer is None or pointer.job_id != key.job_id or not layout.is_folder_of(pointer.folder, key.job_id):
            return None
        sealed = await _small(bucket, address.below(pointer.folder + MANIFEST), address, MAX_MANIFEST_BYTES, seconds)
        values = sum(map((sealed or b"").count, (b",", b":", b"[", b"{")))
        if sealed is None or values > _MAX_VALUES:
            return None
        manifest = await anyio.to_thread.run_sync(Manifest.parse, sealed)
        if manifest is None or manifest.attempt.job_id != key.job_id:
            return None
        return _Delivered(bucket, address, pointer.folder, manifest, len(sealed) + values * _VALUE_BYTES)


async def _get(bucket: Store, key: str, address: ObjectAddress, options: GetOptions) -> GetResult:
    with _translating(address):
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await bucket.get_async(key, options=options)


async def _small(bucket: Store, key: str, address: ObjectAddress, most: int, seconds: float) -> bytes | None:
    """Return the content of a small object; None if it is missing or larger than `most`: another program may have
    written it.
    """
    with suppress(NoResultError), _translating(address):
        async with asyncio.timeout(seconds):
            answer = await _get(bucket, key, address, {})
            if answer.meta["size"] <= most:
                return b"".join([piece async for piece in _pieces(answer.stream(), answer.meta["size"], address)])
    return None


async def _pieces(stream: BytesStream, left: int, address: ObjectAddress) -> AsyncGenerator[bytes, None]:
    with _translating(address):
        async for piece in stream:
            left -= len(piece)
            if left < 0:
                break
            yield bytes(piece)
    if left:
        raise UnreadableResultError(f"{address} sent another number of bytes than it announced")


async def _nothing() -> AsyncGenerator[bytes, None]:
    for piece in tuple[bytes, ...]():
        yield piece


@contextmanager
def _translating(address: ObjectAddress) -> Iterator[None]:
    """Translate the client's errors in the block into words for users, without the server's address."""
    try:
        yield
    except FileNotFoundError as error:
        raise NoResultError(str(address)) from error
    except Exception as error:
        if not failures.is_of_the_client(error):
            raise
        text = failures.translated(error, address, failures.INPUT).message
        text = text.replace("the workers'", "the gallery's").replace("the workers", "the gallery")
        raise UnreadableResultError(f"the gallery cannot read the result: {text}") from error
