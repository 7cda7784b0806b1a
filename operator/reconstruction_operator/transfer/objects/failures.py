"""Storage failures: the reason and message for an error of the client. Messages name the address, never the endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from reconstruction_operator.transfer import names
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects.address import ObjectAddress

_STATUS = re.compile(r"status code: (?P<status>[0-9]{3})")
_CODE = re.compile(r"(<Code>|\(code: )(?P<code>[A-Za-z0-9]{1,60})")
_METADATA = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")
_MISSING_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
_REFUSED_STATUS: Final = ("401", "403", "407")
_REFUSALS: Final = (
    PermissionDeniedError,
    UnauthenticatedError,
    InvalidPathError,
    AlreadyExistsError,
    PreconditionError,
)
# Also found in a response with status 200 about many objects, for one of them.
_REFUSED_CODES: Final = ("AccessDenied", "AllAccessDisabled")
_UNTRUSTED: Final = "InvalidCertificate("
_NO_PROXY: Final = "ProxyAuthRequired"
_CAUSES: Final = (  # marks in the client's dump of an error; the first line is "error sending request" for all of these
    (_UNTRUSTED, "the workers do not trust the server's certificate (STORAGE_CA_FILE)"),
    (_NO_PROXY, "the proxy requires another user or password"),
    ("TunnelUnsuccessful", "the proxy does not connect to the server"),
    ("ConnectionRefused", "the server accepts no connections"),
    ('"dns error"', "the server's name cannot be resolved"),
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
    """Return whether the client raised the error; other errors come from the disk or are defects."""
    return isinstance(error, BaseError) or (isinstance(error, FileNotFoundError | TimeoutError) and error.errno is None)


def is_missing_bucket(error: Exception) -> bool:
    """Return whether the bucket does not exist."""
    return any(one in str(error) for one in _MISSING_BUCKET)


def is_final(error: Exception) -> bool:
    """Return whether a retry would fail too: access is denied, the object is missing, or the error is not the client's."""
    text = str(error)
    status = _STATUS.search(text)
    return (
        not is_of_the_client(error)
        or isinstance(error, (FileNotFoundError, *_REFUSALS))
        or _has_no_credentials(text)
        or _is_refused(error)
        or any(one in text for one in (_UNTRUSTED, _NO_PROXY))
        or (status is not None and status["status"][0] == "4" and status["status"] not in ("408", "429"))
    )


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
    text = str(error)
    status = _STATUS.search(text)
    code = _CODE.search(text)
    answer = " ".join(part for part in (status and status["status"], code and code["code"]) if part)
    shown = f" ({answer})" if answer else ""
    if is_missing_bucket(error):
        return StorageError(side.missing, f"{address} cannot be {side.verb}: bucket {address.bucket} does not exist")
    if _has_no_credentials(text):
        return StorageError(
            side.refused,
            f"{address} cannot be {side.verb}: the workers have no credentials for {address.scheme}:// (their settings or "
            "service account)",
        )
    if _is_refused(error):
        return StorageError(
            side.refused, f"{address} cannot be {side.verb}: the server rejects the workers' credentials{shown}"
        )
    if isinstance(error, FileNotFoundError) or (status and status["status"] == _MISSING_STATUS):
        return StorageError(side.missing, f"{address} does not exist{shown}")
    if isinstance(error, InvalidPathError):
        return StorageError(
            side.refused,
            f"{address} contains an object whose name has an empty part, '.' or '..': rename it, or name a folder without it",
        )
    if isinstance(error, TimeoutError):
        return StorageError(side.unreachable, f"{address} cannot be {side.verb}: the server sends no data")
    return StorageError(side.unreachable, f"{address} cannot be {side.verb}: {_cause(text)}{shown}")


def _is_refused(error: Exception) -> bool:
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    return (
        isinstance(error, PermissionDeniedError | UnauthenticatedError)
        or (status is not None and status["status"] in _REFUSED_STATUS)
        or (code is not None and code["code"] in _REFUSED_CODES)
    )


def _has_no_credentials(text: str) -> bool:
    return any(one in text for one in _METADATA)


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
