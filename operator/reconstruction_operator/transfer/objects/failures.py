"""Storage failures: the reason and message for an error of the client.

Messages name the address, never the endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from obstore.exceptions import BaseError, InvalidPathError, PermissionDeniedError, UnauthenticatedError

from reconstruction_operator.transfer import names
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects.address import ObjectAddress

_STATUS = re.compile(r"status code: ([0-9]{3})")
_CODE = re.compile(r"(?:<Code>|\(code: )([A-Za-z0-9]{1,60})")
_METADATA = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")
_MISSING_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
_REFUSED_STATUS: Final = ("401", "403", "407")
# Also found in a response with status 200 about many objects, for one of them.
_REFUSED_CODES: Final = ("AccessDenied", "AllAccessDisabled")
_CAUSES: Final = (  # marks in the client's dump of an error; the first line is "error sending request" for all of these
    ("InvalidCertificate(", "the workers do not trust the server's certificate (STORAGE_CA_FILE)"),
    ("ProxyAuthRequired", "the proxy requires another user or password"),
    ("TunnelUnsuccessful", "the proxy does not connect to the server"),
    ("ConnectionRefused", "the server accepts no connections"),
    ('"dns error"', "the server's name cannot be resolved"),
    ("TimedOut", "the server sends no data"),
    ("TimeoutError", "the server sends no data"),  # a caller's own limit
)
_MAX_CHARS: Final = 160
_MISSING_STATUS: Final = "404"


@dataclass(frozen=True, slots=True)
class Side:
    """A direction of transfer, with the reasons of its failures."""

    verb: str  # in "cannot be …"
    missing: str
    refused: str
    unreachable: str


INPUT: Final = Side("read", "INPUT_NOT_FOUND", "INPUT_REFUSED", "INPUT_UNREACHABLE")
OUTPUT: Final = Side("written", "OUTPUT_REFUSED", "OUTPUT_REFUSED", "OUTPUT_UPLOAD_FAILED")
DELETION: Final = Side("cleared of objects", "OUTPUT_REFUSED", "OUTPUT_REFUSED", "OUTPUT_UPLOAD_FAILED")


def is_of_the_client(error: BaseException) -> bool:
    """Return whether the client raised the error, or a caller's time for it is over; other errors come from the disk or
    are defects.
    """
    return isinstance(error, BaseError) or (isinstance(error, FileNotFoundError | TimeoutError) and error.errno is None)


def is_missing_bucket(error: Exception) -> bool:
    """Return whether the bucket does not exist."""
    return any(mark in str(error) for mark in _MISSING_BUCKET)


@contextmanager
def translating(address: ObjectAddress, side: Side) -> Iterator[None]:
    """Translate errors that the client raises in the block to StorageError."""
    try:
        yield
    except Exception as error:
        if is_of_the_client(error):
            raise translated(error, address, side) from None
        raise


def translated(error: Exception, address: ObjectAddress, side: Side) -> StorageError:
    """Return the job's failure for an error of the client."""
    text, cannot = str(error) or type(error).__name__, f"{address} cannot be {side.verb}"
    status = _first(_STATUS, text)
    code = _first(_CODE, text)
    label = f" ({' '.join(filter(None, (status, code)))})" if status or code else ""
    if is_missing_bucket(error):
        return StorageError(side.missing, f"{cannot}: bucket {address.bucket} does not exist")
    if any(mark in text for mark in _METADATA):
        missing = f"the workers have no credentials for {address.scheme}:// (their settings or service account)"
        return StorageError(side.refused, f"{cannot}: {missing}")
    is_denied = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    if is_denied or status in _REFUSED_STATUS or code in _REFUSED_CODES:
        return StorageError(side.refused, f"{cannot}: the server rejects the workers' credentials{label}")
    if isinstance(error, FileNotFoundError) or status == _MISSING_STATUS:
        return StorageError(side.missing, f"{address} does not exist{label}")
    if isinstance(error, InvalidPathError):
        advice = "rename it, or name a folder without it"
        contains = "contains an object whose name has an empty part, '.' or '..'"
        return StorageError(side.refused, f"{address} {contains}: {advice}")
    return StorageError(side.unreachable, f"{cannot}: {_cause(text)}{label}")


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _cause(text: str) -> str:
    """Return the cause, without addresses of servers. Usually it is the end of the first line."""
    for mark, cause in _CAUSES:
        if mark in text:
            return cause
    first = text.partition("\n")[0]
    if "Server returned non-2xx" in first:
        return "the server returns an error"
    cause = re.sub(r"https?://\S+", "the server", first.rpartition(" - ")[2] or first)
    return names.printable(cause)[:_MAX_CHARS]
