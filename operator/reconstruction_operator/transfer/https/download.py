"""Download: reads an archive from an `https://` server, or its first bytes."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from reconstruction_operator.transfer import uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses
from reconstruction_operator.transfer.https.connection import NOT_MODIFIED, REFUSED, UNREACHABLE, answer
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.transfer.unpacker import HEAD_BYTES
from reconstruction_operator.units import megabytes

_CHUNK_BYTES: Final = 1 << 16
_MAX_LENGTH_DIGITS: Final = 300  # a float holds no larger number
_STRONG_ETAG: Final = re.compile(r'"[!#-~]{1,256}"')


def download(
    uri: str,
    target: Path,
    limits: Limits,
    tick: Tick,
    *,
    etag: str = "",
    resolve: addresses.Resolve = addresses.resolve,
    tls: ssl.SSLContext | None = None,
) -> str | None:
    """Write the content to `target` and return its strong ETag; empty if the server sends none.

    `tls` has the trusted roots.

    Return None and write nothing if the content still has `etag`: the same strong ETag means the same bytes (RFC 9110,
    8.8.1).

    Raises StorageError: INPUT_REFUSED, INPUT_NOT_FOUND or INPUT_UNREACHABLE.
    """
    with answer(uri, limits, tick, resolve, tls, etag=etag) as (response, final, speed):
        if response.status == NOT_MODIFIED:
            return None
        expected, done = _length(response, final, limits), 0
        label = uris.redacted(final)
        most = megabytes(limits.max_bytes, 1)
        with target.open("xb") as file:
            for chunk in _chunks(response, label):
                done += len(chunk)
                speed.received(len(chunk))
                if done > limits.max_bytes:
                    raise StorageError(REFUSED, f"{label} has more than {most}; this worker accepts no more")
                file.write(chunk)
                tick(done / expected if expected else 0.0, f"{megabytes(done, 1)} downloaded")
        if expected is not None and done != expected:
            raise StorageError(UNREACHABLE, f"{label}: the connection was lost after {done} of {expected} bytes")
        tag = response.headers.get("ETag", "")
        return tag if _STRONG_ETAG.fullmatch(tag) else ""


def probe(
    uri: str, limits: Limits, *, resolve: addresses.Resolve = addresses.resolve, tls: ssl.SSLContext | None = None
) -> tuple[int | None, bytes]:
    """Return the size of the content in bytes (None: not announced) and its first bytes.

    Raises StorageError as `download`.
    """
    with answer(uri, limits, lambda *_: None, resolve, tls) as (response, final, _):
        expected, head = _length(response, final, limits), b""
        for chunk in _chunks(response, uris.redacted(final)):
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        return expected, head


def _chunks(response: urllib3.BaseHTTPResponse, label: str) -> Iterator[bytes]:
    """Yield the content as it arrives: `read1` returns as soon as there is a byte."""
    done = 0
    try:
        while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
            done += len(chunk)
            yield chunk
    except HTTPError as error:
        text = f"{label}: the connection was lost after {megabytes(done, 1)}: {error}"
        raise StorageError(UNREACHABLE, text) from None


def _length(response: urllib3.BaseHTTPResponse, uri: str, limits: Limits) -> int | None:
    """Return the announced size in bytes; None without one. Raises StorageError if it exceeds the limit."""
    length = response.headers.get("Content-Length", "")
    expected = int(length) if length.isdecimal() and len(length) <= _MAX_LENGTH_DIGITS else None
    if expected is not None and expected > limits.max_bytes:
        had = megabytes(expected, 1)
        most = megabytes(limits.max_bytes, 1)
        raise StorageError(REFUSED, f"{uris.redacted(uri)} has {had}; this worker accepts at most {most}")
    return expected
