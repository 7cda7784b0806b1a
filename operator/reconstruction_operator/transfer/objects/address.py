"""Address of objects: scheme, bucket and key of a `s3://bucket/folder/` URI, and whether a job may use it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from reconstruction_operator.planning.validation import ARCHIVE_SUFFIXES
from reconstruction_operator.readers import BUCKET, OBJECT_SCHEMES
from reconstruction_operator.transfer import tenancy, uris
from reconstruction_operator.transfer.errors import StorageError


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """A folder of objects, or one object. Keys are decoded, and neither begin nor end with a slash."""

    scheme: str
    bucket: str  # Azure: the container
    key: str
    is_folder: bool  # the address ends in a slash

    @classmethod
    def parse(cls, uri: str, reason: str) -> ObjectAddress:
        """The address of a URI. Raises StorageError (`reason`) if it names no bucket, or a key that could lead elsewhere."""
        parts = uris.split(uri, reason)
        shown = uris.redacted(uri)
        if parts.scheme not in OBJECT_SCHEMES:
            raise StorageError(reason, f"{shown} is no address of object storage")
        if not BUCKET.fullmatch(parts.netloc):
            raise StorageError(reason, f"{shown} names no bucket: write {parts.scheme}://bucket/folder/")
        if parts.query or parts.fragment:
            raise StorageError(reason, f"{shown} holds ? or #: write %3F or %23 for these characters in a name")
        path = unquote(parts.path)
        key = path.strip("/")
        if key and any(
            part in ("", ".", "..") for part in key.split("/")
        ):  # could also lead out of a grant (path traversal)
            raise StorageError(reason, f"{shown} holds an empty name, '.' or '..': name the folder itself")
        if "\\" in key:  # some servers treat it as a slash
            raise StorageError(reason, f"{shown} holds a backslash, where slashes are needed")
        if not key.isprintable():
            raise StorageError(reason, f"{shown} holds a character that cannot be shown")
        return cls(parts.scheme, parts.netloc, key, path.endswith("/") or not key)

    @property
    def is_archive(self) -> bool:
        """Whether it names one archive, not a folder."""
        return not self.is_folder and self.key.lower().endswith(ARCHIVE_SUFFIXES)

    def __str__(self) -> str:
        """The address for messages."""
        return f"{self.scheme}://{self.bucket}/{self.key}".rstrip("/") + ("/" if self.is_folder else "")

    def below(self, name: str) -> str:
        """The key of an object in the folder."""
        return f"{self.key}/{name}" if self.key else name


def is_object(uri: str) -> bool:
    """Whether it is an address of object storage."""
    return uri.partition("://")[0] in OBJECT_SCHEMES


def permitted(
    uri: str, reason: str, verb: str, *, schemes: tuple[str, ...], granted: tuple[str, ...] | None, namespace: str
) -> ObjectAddress:
    """The address, if a job of that namespace may `verb` ("read", "write to") it; `granted` as of `tenancy.granted`.

    Raises StorageError (`reason`).
    """
    address = ObjectAddress.parse(uri, reason)
    if address.scheme not in schemes:
        enabled = ", ".join(f"{one}://" for one in schemes) or "none"
        raise StorageError(
            reason,
            f"{address}: {address.scheme}:// is not enabled on this worker (STORAGE_SCHEMES); enabled there: {enabled}",
        )
    if granted is not None and not tenancy.covers_objects(granted, address.scheme, address.bucket, address.key):
        raise StorageError(reason, tenancy.refusal(granted, namespace, verb, str(address)))
    return address
