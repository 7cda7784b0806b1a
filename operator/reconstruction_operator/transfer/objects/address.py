"""Object address: scheme, bucket and key of a URI such as `s3://bucket/folder/`, and the check that
a job may use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from reconstruction_operator.planning.validation import ARCHIVE_SUFFIXES
from reconstruction_operator.readers import BUCKET, OBJECT_SCHEMES
from reconstruction_operator.transfer import tenancy, uris
from reconstruction_operator.transfer.errors import StorageError


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """The address of a folder of objects, or of one object. The key is decoded, without slashes at its ends."""

    scheme: str
    bucket: str  # Azure: the container
    key: str
    is_folder: bool  # the address ends in a slash, or names a bucket

    @classmethod
    def parse(cls, uri: str, reason: str) -> ObjectAddress:
        """Parse a URI.

        Raises StorageError (`reason`) if it names no bucket, or a key that could lead out of a folder.
        """
        parts = uris.split(uri, reason)
        label = uris.redacted(uri)
        if parts.scheme not in OBJECT_SCHEMES:
            raise StorageError(reason, f"{label} is not an address of object storage")
        if not BUCKET.fullmatch(parts.netloc):
            raise StorageError(reason, f"{label} names no bucket: write {parts.scheme}://bucket/folder/")
        if parts.query or parts.fragment:
            raise StorageError(reason, f"{label} contains ? or #: write %3F or %23 for these characters in a name")
        path = unquote(parts.path)
        key = path.strip("/")
        # Path traversal out of an allowlisted folder.
        if key and any(part in ("", ".", "..") for part in key.split("/")):
            raise StorageError(reason, f"{label} contains an empty name, '.' or '..': name the folder itself")
        if "\\" in key:  # some servers treat it as a slash
            raise StorageError(reason, f"{label} contains a backslash: use slashes")
        if not key.isprintable():
            raise StorageError(reason, f"{label} contains an unprintable character")
        return cls(parts.scheme, parts.netloc, key, path.endswith("/") or not key)

    @property
    def is_archive(self) -> bool:
        """Whether this is one archive, not a folder."""
        return not self.is_folder and self.key.lower().endswith(ARCHIVE_SUFFIXES)

    def __str__(self) -> str:
        """Return the address for messages."""
        return f"{self.scheme}://{self.bucket}/{self.key}".rstrip("/") + ("/" if self.is_folder else "")

    def below(self, name: str) -> str:
        """Return the key of the object `name` in the folder."""
        return f"{self.key}/{name}" if self.key else name


def is_object(uri: str) -> bool:
    """Return whether `uri` is an address of object storage."""
    return uri.partition("://")[0] in OBJECT_SCHEMES


def permitted(
    uri: str, reason: str, verb: str, *, schemes: tuple[str, ...], granted: tuple[str, ...] | None, namespace: str
) -> ObjectAddress:
    """Return the address if jobs of the namespace may `verb` ("read", "write to") it; `granted`: see `tenancy.granted`.

    Raises StorageError (`reason`).
    """
    address = ObjectAddress.parse(uri, reason)
    if address.scheme not in schemes:
        enabled = ", ".join(f"{scheme}://" for scheme in schemes) or "none"
        raise StorageError(
            reason,
            f"{address}: {address.scheme}:// is not enabled on this worker (STORAGE_SCHEMES); enabled: {enabled}",
        )
    if granted is not None and not tenancy.covers_objects(granted, address.scheme, address.bucket, address.key):
        raise StorageError(reason, tenancy.refusal(granted, namespace, verb, str(address)))
    return address
