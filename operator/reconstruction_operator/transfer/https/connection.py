"""HTTPS connection: the final response of a server, after all redirections.

A server that sends too slowly fails (slow loris).

Against SSRF, every address is checked, including those of redirections. Against DNS rebinding (TOCTOU), the checked
address is the one that is connected to.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urljoin

import urllib3
from urllib3.exceptions import HTTPError

from reconstruction_operator.transfer import tenancy, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses
from reconstruction_operator.transfer.limits import Limits, Tick
from reconstruction_operator.units import megabytes

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

REFUSED: Final = "INPUT_REFUSED"
UNREACHABLE: Final = "INPUT_UNREACHABLE"
NOT_MODIFIED: Final = 304

_OK: Final = 200
_MAX_REDIRECTS: Final = 5
_MAX_ADDRESSES: Final = 8  # tried for each host
_HOST: Final = re.compile(r"[a-z0-9._:-]+", re.IGNORECASE)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_MISSING: Final = (404, 410)
_FORBIDDEN: Final = (401, 403, 407)
_HTTPS_PORT: Final = 443
_SPAN_SECONDS: Final = 120.0  # for the response, including redirections; and then for `Limits.span_bytes` of content


class SpeedLimit:
    """Minimum speed of a server. With a timeout for each read alone, a server could send single bytes for days."""

    def __init__(self, uri: str, span_bytes: int) -> None:
        self._span_bytes = span_bytes
        self._shown = uris.redacted(uri)
        self._since = time.monotonic()
        self._bytes = 0
        self._has_answered = False

    def answered(self) -> None:
        """Start timing the content: the response has begun."""
        self._has_answered, self._since = True, time.monotonic()

    def received(self, count: int) -> None:
        """Add `count` bytes to the received content."""
        self._bytes += count

    def check(self) -> None:
        """Raise StorageError (INPUT_UNREACHABLE) if the server is too slow."""
        if time.monotonic() - self._since < _SPAN_SECONDS:
            return
        if not self._has_answered:
            raise StorageError(UNREACHABLE, f"{self._shown} did not respond within {_SPAN_SECONDS:.0f} s")
        if self._bytes < self._span_bytes:
            text = f"{self._shown} sent only {megabytes(self._bytes, 1)} within {_SPAN_SECONDS:.0f} s"
            raise StorageError(UNREACHABLE, text)
        self._since, self._bytes = time.monotonic(), 0


@contextmanager
def answer(
    uri: str,
    limits: Limits,
    tick: Tick,
    resolve: addresses.Resolve,
    tls: ssl.SSLContext | None,
    *,
    etag: str = "",
) -> Iterator[tuple[urllib3.BaseHTTPResponse, str, SpeedLimit]]:
    """Yield the response after all redirections, its URI, and its speed limit.

    NOT_MODIFIED is accepted only with an `etag`.
    """
    context = tls or ssl.create_default_context()
    speed = SpeedLimit(uri, limits.span_bytes)
    context.sslsocket_class = _checking_sockets(speed)

    def attempt() -> None:
        tick(0.0, "connecting")
        speed.check()

    for _ in range(_MAX_REDIRECTS + 1):
        with _get(uri, limits, resolve, context, attempt, etag=etag) as response:
            if response.status not in _REDIRECTS:
                if not (etag and response.status == NOT_MODIFIED):
                    _check_status(response.status, uri)
                speed.answered()
                yield response, uri, speed
                return
            location = response.headers.get("Location", "")
            try:
                uri = urljoin(uri, location)
            except ValueError as error:
                text = f"{uris.redacted(uri)} redirects to {uris.redacted(location)}, which is not a URI: {error}"
                raise StorageError(REFUSED, text) from None
    raise StorageError(REFUSED, f"{uris.redacted(uri)}: more than {_MAX_REDIRECTS} redirections")


@contextmanager
def _get(
    uri: str,
    limits: Limits,
    resolve: addresses.Resolve,
    context: ssl.SSLContext,
    attempt: Callable[[], None],
    *,
    etag: str,
) -> Iterator[urllib3.BaseHTTPResponse]:
    parts = uris.split(uri, REFUSED)
    host, port = _host_and_port(parts, limits)
    checked = addresses.checked_addresses(host, port, private_allowed=bool(limits.https_hosts), resolve=resolve)
    failure: HTTPError | None = None
    for address in checked[:_MAX_ADDRESSES]:
        attempt()
        pool = urllib3.HTTPSConnectionPool(
            address,
            port,
            server_hostname=host,  # SNI and certificate check use the host name, not the address
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
                    **({"If-None-Match": etag} if etag else {}),
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
    raise StorageError(UNREACHABLE, f"{uris.redacted(uri)} cannot be reached: {failure}")


def _host_and_port(parts: SplitResult, limits: Limits) -> tuple[str, int]:
    label = uris.redacted(parts.geturl())
    if parts.scheme != "https":
        raise StorageError(REFUSED, f"{label}: only https:// is downloaded, not {parts.scheme}://")
    if parts.username is not None or parts.password is not None:
        text = f"{label}: remove the user or password, which everyone with access to the job could read"
        raise StorageError(REFUSED, text)
    if limits.granted is not None and not tenancy.covers(limits.granted, parts):
        raise StorageError(REFUSED, tenancy.refusal(limits.granted, limits.namespace, "read", label))
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise StorageError(REFUSED, f"{label} has no host")
    try:
        ascii_host = host.encode("idna").decode("ascii")  # as in DNS and in certificates
    except UnicodeError as error:
        raise StorageError(REFUSED, f"{label} has an invalid host name: {error}") from None
    if not _HOST.fullmatch(ascii_host):
        raise StorageError(REFUSED, f"{label} has an invalid host name")
    if limits.https_hosts and not {host, ascii_host} & set(limits.https_hosts):
        raise StorageError(REFUSED, f"host {host} is not on the allowlist of this worker (INPUT_HTTPS_HOSTS)")
    return ascii_host, parts.port or _HTTPS_PORT


def _check_status(status: int, uri: str) -> None:
    label = uris.redacted(uri)
    if status in _MISSING:
        raise StorageError("INPUT_NOT_FOUND", f"{label} does not exist (HTTP {status})")
    if status in _FORBIDDEN:
        raise StorageError(REFUSED, f"access to {label} is denied (HTTP {status})")
    if status != _OK:
        raise StorageError(UNREACHABLE, f"{label} returned HTTP {status}")


def _checking_sockets(limit: SpeedLimit) -> type[ssl.SSLSocket]:
    """Return a socket class that checks the limit before each read: even a header line can arrive byte by byte."""

    class Socket(ssl.SSLSocket):
        def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
            limit.check()
            return super().recv_into(buffer, nbytes, flags)

    return Socket
