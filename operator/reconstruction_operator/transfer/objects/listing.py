"""Input listing: lists all objects of an input, and checks them against the limits before any is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconstruction_operator.contract.fingerprint import InputFile, input_digest
from reconstruction_operator.transfer import digests, names
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import failures
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.requests import FetchRequest
from reconstruction_operator.units import megabytes

if TYPE_CHECKING:
    from obstore import ObjectMeta

    from reconstruction_operator.transfer.objects.store import Store

_REFUSED = "INPUT_REFUSED"
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """One object to fetch."""

    key: str
    name: str  # below the address
    bytes: int
    etag: str  # empty: the server sends none
    mark: str  # the ETag, or the time of the last change: differs if the content does

    @property
    def file(self) -> str:
        """The name of the local file, which differs for different content."""
        return hashlib.sha256(f"{self.key}\0{self.bytes}\0{self.mark}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects at an address, within the limits."""

    objects: tuple[Listed, ...]
    ignored: tuple[str, ...]  # names of objects that are not photos

    @property
    def bytes(self) -> int:
        """Size of all objects to fetch."""
        return sum(photo.bytes for photo in self.objects)

    @property
    def digest(self) -> str:
        """The digest of the input, from names, sizes and ETags."""
        return input_digest(digests.ETAG, (InputFile(photo.name, photo.bytes, photo.mark) for photo in self.objects))


def list_input(store: Store, request: FetchRequest) -> Listing:
    """List the photos below the address in natural order, or the one archive that it names.

    Raises StorageError (INPUT_NOT_FOUND or INPUT_REFUSED), or an error of the client.
    """
    address = request.address
    if address.is_archive:
        listing = Listing((_listed(store.head(address.key), address),), ())
    else:
        listing = _photos(_all(store, request), address)
    if listing.bytes > request.max_bytes:
        label = megabytes(listing.bytes, 1)
        most = megabytes(request.max_bytes, 1)
        what = str(address) if address.is_archive else f"{len(listing.objects)} photos in {address}"
        has = "has" if address.is_archive else "have"
        raise StorageError(_REFUSED, f"{what} {has} {label}; this worker accepts at most {most}")
    return listing


def _all(store: Store, request: FetchRequest) -> list[Listed]:
    objects: list[Listed] = []
    for page in store.list(request.address.key or None, chunk_size=_PAGE):
        objects += [_listed(meta, request.address) for meta in page]
        if len(objects) > request.max_files:
            raise StorageError(_REFUSED, f"{request.address} contains more than {request.max_files} objects")
        if len({photo.key for photo in objects}) < len(objects):
            raise StorageError(_REFUSED, f"{request.address}: its server lists an object twice")
    return objects


def _listed(meta: ObjectMeta, address: ObjectAddress) -> Listed:
    key = meta["path"]
    if not key.isprintable():
        raise StorageError(
            _REFUSED, f"{address} contains an object with an unprintable name: {names.printable(key)[:100]}"
        )
    etag = meta["e_tag"] or ""
    name = key.removeprefix(address.key).lstrip("/")
    return Listed(key, name, meta["size"], etag, etag or meta["last_modified"].isoformat())


def _photos(objects: list[Listed], address: ObjectAddress) -> Listing:
    photos = [photo for photo in objects if names.is_photo(photo.name)]
    # Consoles of clouds mark folders by empty objects.
    ignored = tuple(other.name for other in objects if other.bytes and not names.is_photo(other.name))
    if not photos and not ignored:
        raise StorageError(
            failures.INPUT.missing, f"there are no objects below {address.scheme}://{address.bucket}/{address.key}"
        )
    return Listing(tuple(sorted(photos, key=lambda photo: names.natural(photo.name))), ignored)
