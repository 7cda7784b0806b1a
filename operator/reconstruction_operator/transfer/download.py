"""Download: an archive from an `https://` server.

Against SSRF, every address is checked, also of each redirection; against DNS rebinding (TOCTOU), the connection goes to the
address that was checked; against slow loris, a server that sends too slowly is given up.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin

import urllib3
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from reconstruction_operator.transfer import addresses, tenancy, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.units import megabytes

_REFUSED, _UNREACHABLE = "INPUT_REFUSED", "INPUT_UNREACHABLE"
_CHUNK_BYTES = 1 << 16
_HEAD_BYTES = 512
_SPAN_SECONDS = 120.0  # for the answer, redirections included; and again for each _SPAN_BYTES of content
_SPAN_BYTES = 1 << 20
_MAX_REDIRECTS = 5
_MAX_ADDRESSES = 8  # tried per host
_MAX_LENGTH_DIGITS = 4000  # Python converts at most 4300 digits
_HOST = re.compile(r"[a-z0-9._:-]+", re.IGNORECASE)
_REDIRECTS = (301, 302, 303, 307, 308)
_MISSING = (404, 410)
_FORBIDDEN = (401, 403, 407)
_HTTPS_PORT = 443
_OK = 200
_PARTIAL = 206
_NOT_MODIFIED = 304
_STRONG_ETAG = re.compile(r'"[!#-~]{1,256}"')


class _SlowServerLimit:
    """Minimum speed of a server. A timeout for each read alone would let it send single bytes for days (slow loris)."""

    def __init__(self, uri: str) -> None:
        self._shown = uris.redacted(uri)
        self._since = time.monotonic()
        self._bytes = 0
        self._has_answered = False

    def answered(self) -> None:
        """Starts the clock of the content."""
        self._has_answered, self._since = True, time.monotonic()

    def received(self, count: int) -> None:
        """Counts so many more bytes of content."""
        self._bytes += count

    def check(self) -> None:
        """Raises StorageError (INPUT_UNREACHABLE) if the server is too slow."""
        if time.monotonic() - self._since < _SPAN_SECONDS:
            return
        if not self._has_answered:
            raise StorageError(_UNREACHABLE, f"{self._shown} has not answered within {_SPAN_SECONDS:.0f} s")
        if self._bytes < _SPAN_BYTES:
            text = f"{self._shown} sent no more than {megabytes(self._bytes, 1)} within {_SPAN_SECONDS:.0f} s"
            raise StorageError(_UNREACHABLE, text)
        self._since, self._bytes = time.monotonic(), 0


def _checking_sockets(patience: _SlowServerLimit) -> type[ssl.SSLSocket]:
    """Sockets that check before each read: a header line, or the line between chunks, can arrive byte by byte."""

    class Socket(ssl.SSLSocket):
        def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
            patience.check()
            return super().recv_into(buffer, nbytes, flags)

    return Socket


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
    """Writes what the server sends to `target`; returns its strong ETag, empty without one. `tls` holds the trusted roots.

    Returns None, and writes nothing, if it is still what had `etag`: bytes of the same strong ETag are the same (RFC 9110, 8.8.1).

    Raises StorageError: INPUT_REFUSED, INPUT_NOT_FOUND or INPUT_UNREACHABLE.
    """
    asked = {"If-None-Match": etag} if etag else {}
    status = _NOT_MODIFIED if etag else _OK
    with _answer(uri, limits, tick, resolve, tls, headers=asked, status=status) as (response, final, patience):
        if response.status == _NOT_MODIFIED:
            return None
        _save(response, final, target, limits, tick, patience=patience)
        given = response.headers.get("ETag", "")
        return given if _STRONG_ETAG.fullmatch(given) else ""


def probe(
    uri: str, limits: Limits, *, resolve: addresses.Resolve = addresses.resolve, tls: ssl.SSLContext | None = None
) -> tuple[int | None, bytes, Callable[[int, int], bytes | None] | None]:
    """The size in bytes of what the server would send, None if it does not say so, and its first bytes.

    The third gives other parts of it, by place and number of bytes; None: the server offers none. All raise StorageError as `download`.
    """

    def read_at(place: int, count: int) -> bytes | None:
        return _part(uri, place, count, limits, resolve=resolve, tls=tls)

    with _answer(uri, limits, lambda *_: None, resolve, tls) as (response, final, _):
        expected = _length(response, final, limits)
        head = b""
        try:
            while len(head) < _HEAD_BYTES and (chunk := response.read1(_HEAD_BYTES, decode_content=False)):
                head += chunk
        except HTTPError as error:
            raise StorageError(_UNREACHABLE, f"{uris.redacted(final)} broke off: {error}") from None
        return expected, head, read_at if response.headers.get("Accept-Ranges") == "bytes" else None


def _part(
    uri: str, place: int, count: int, limits: Limits, *, resolve: addresses.Resolve, tls: ssl.SSLContext | None
) -> bytes | None:
    """So many bytes of what the server would send; None if it sends no parts."""
    wanted = {"Range": f"bytes={place}-{place + count - 1}"}
    with _answer(uri, limits, lambda *_: None, resolve, tls, headers=wanted, status=_PARTIAL) as (response, final, _):
        if response.status != _PARTIAL:
            return None
        content = b""
        try:
            while len(content) < count and (chunk := response.read1(count - len(content), decode_content=False)):
                content += chunk
        except HTTPError as error:
            raise StorageError(_UNREACHABLE, f"{uris.redacted(final)} broke off: {error}") from None
        return content


@contextmanager
def _answer(
    uri: str,
    limits: Limits,
    tick: Tick,
    resolve: addresses.Resolve,
    tls: ssl.SSLContext | None,
    *,
    headers: Mapping[str, str] = MappingProxyType({}),
    status: int = _OK,
) -> Iterator[tuple[urllib3.BaseHTTPResponse, str, _SlowServerLimit]]:
    """The server's answer after all redirections, and the address that gave it; `status`: also accepted besides 200."""
    context = tls or ssl.create_default_context()
    patience = _SlowServerLimit(uri)
    context.sslsocket_class = _checking_sockets(patience)

    def attempt() -> None:
        tick(0.0, "connecting")
        patience.check()

    for _ in range(_MAX_REDIRECTS + 1):
        with _get(uri, limits, resolve, context, attempt, more_headers=headers) as response:
            if response.status not in _REDIRECTS:
                if response.status != status:
                    _check_status(response.status, uri)
                patience.answered()
                yield response, uri, patience
                return
            uri = _redirected(uri, response.headers.get("Location", ""))
    raise StorageError(_REFUSED, f"{uris.redacted(uri)}: more than {_MAX_REDIRECTS} redirections")


def _redirected(uri: str, location: str) -> str:
    try:
        return urljoin(uri, location)
    except ValueError as error:
        text = f"{uris.redacted(uri)} leads to {uris.redacted(location)}, which is not a URI: {error}"
        raise StorageError(_REFUSED, text) from None


@contextmanager
def _get(
    uri: str,
    limits: Limits,
    resolve: addresses.Resolve,
    context: ssl.SSLContext,
    attempt: Callable[[], None],
    *,
    more_headers: Mapping[str, str],
) -> Iterator[urllib3.BaseHTTPResponse]:
    parts = uris.split(uri, _REFUSED)
    host, port = _host_and_port(parts, limits)
    found = addresses.checked_addresses(host, port, private_allowed=bool(limits.https_hosts), resolve=resolve)
    failure: HTTPError | None = None
    for address in found[:_MAX_ADDRESSES]:
        attempt()
        pool = urllib3.HTTPSConnectionPool(
            address,
            port,
            server_hostname=host,  # SNI and the certificate are checked for the host, not for the address
            assert_hostname=host,
            ssl_context=context,
            timeout=urllib3.Timeout(connect=limits.timeout_seconds, read=limits.timeout_seconds),
            retries=False,
        )
        try:
            response = pool.request(
                "GET",
                (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
                headers={
                    "Host": host if port == _HTTPS_PORT else f"{host}:{port}",
                    "Accept-Encoding": "identity",
                    "User-Agent": "reconstruction-operator",
                    **more_headers,
                },
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            failure = error
            pool.close()
            continue
        try:
            yield response
        finally:
            response.close()
            pool.close()
        return
    raise StorageError(_UNREACHABLE, f"{uris.redacted(uri)} cannot be reached: {failure}")


def _host_and_port(parts: SplitResult, limits: Limits) -> tuple[str, int]:
    shown = uris.redacted(parts.geturl())
    if parts.scheme != "https":
        raise StorageError(_REFUSED, f"{shown}: only https:// is downloaded, not {parts.scheme}://")
    if parts.username is not None or parts.password is not None:
        text = f"{shown}: a user or a password in the URI could be read by everyone who sees the job"
        raise StorageError(_REFUSED, text)
    if limits.granted is not None and not tenancy.covers(limits.granted, parts):
        left = ", ".join(limits.granted) or "nothing"
        text = f"namespace {limits.namespace or '(none)'} may not read {shown}: this worker leaves it {left}"
        raise StorageError(_REFUSED, text)
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise StorageError(_REFUSED, f"{shown} names no host")
    try:
        ascii_host = host.encode("idna").decode("ascii")  # as in DNS and in certificates
    except UnicodeError as error:
        raise StorageError(_REFUSED, f"{shown} names a host that can be none: {error}") from None
    if not _HOST.fullmatch(ascii_host):
        raise StorageError(_REFUSED, f"{shown} names a host that can be none")
    if limits.https_hosts and not {host, ascii_host} & set(limits.https_hosts):
        raise StorageError(_REFUSED, f"host {host} is not among those that this worker may download from")
    return ascii_host, parts.port or _HTTPS_PORT


def _check_status(status: int, uri: str) -> None:
    shown = uris.redacted(uri)
    if status in _MISSING:
        raise StorageError("INPUT_NOT_FOUND", f"{shown} is not there (HTTP {status})")
    if status in _FORBIDDEN:
        raise StorageError(_REFUSED, f"{shown} may not be read (HTTP {status})")
    if status != _OK:
        raise StorageError(_UNREACHABLE, f"{shown} answered HTTP {status}")


def _length(response: urllib3.BaseHTTPResponse, uri: str, limits: Limits) -> int | None:
    """How many bytes the server announces; None: it does not. Raises StorageError if they are too many."""
    length = response.headers.get("Content-Length", "")
    expected = int(length) if length.isdecimal() and len(length) <= _MAX_LENGTH_DIGITS else None
    if expected is not None and expected > limits.max_bytes:
        had, most = megabytes(expected, 1), megabytes(limits.max_bytes, 1)
        raise StorageError(_REFUSED, f"{uris.redacted(uri)} has {had}; this worker takes {most}")
    return expected


def _save(
    response: urllib3.BaseHTTPResponse,
    uri: str,
    target: Path,
    limits: Limits,
    tick: Tick,
    *,
    patience: _SlowServerLimit,
) -> None:
    expected, done = _length(response, uri, limits), 0
    shown, most = uris.redacted(uri), megabytes(limits.max_bytes, 1)
    try:
        with target.open("xb") as file:
            # `read1` returns as soon as one byte has arrived.
            while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
                done += len(chunk)
                patience.received(len(chunk))
                if done > limits.max_bytes:
                    raise StorageError(_REFUSED, f"{shown} has more than {most}, all that this worker takes")
                file.write(chunk)
                tick(done / expected if expected else 0.0, f"{megabytes(done, 1)} downloaded")
    except HTTPError as error:
        raise StorageError(_UNREACHABLE, f"{shown} broke off after {megabytes(done, 1)}: {error}") from None
    if expected is not None and done != expected:
        raise StorageError(_UNREACHABLE, f"{shown} broke off after {done} of {expected} bytes")
