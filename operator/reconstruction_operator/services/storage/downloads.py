"""An archive from an `https://` server. The address that was checked is the one that is connected to."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urljoin

import urllib3
from urllib3.exceptions import HTTPError

from reconstruction_operator.services.storage import addresses, tenancy, uris
from reconstruction_operator.services.storage.errors import StorageError
from reconstruction_operator.services.storage.limits import Limits, Tick

_REFUSED, _UNREACHABLE = "INPUT_REFUSED", "INPUT_UNREACHABLE"
_CHUNK_BYTES = 1 << 18
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_MISSING = (404, 410)
_FORBIDDEN = (401, 403, 407)
_HTTPS_PORT = 443
_OK = 200


def download(
    uri: str,
    target: Path,
    limits: Limits,
    tick: Tick,
    *,
    resolve: addresses.Resolve = addresses.resolve,
    tls: ssl.SSLContext | None = None,
) -> int:
    """Writes what the server sends to `target`; its size in bytes. `tls` holds whom to trust; None: the system's.

    Raises:
        StorageError: INPUT_REFUSED, INPUT_NOT_FOUND or INPUT_UNREACHABLE.

    """
    context = tls or ssl.create_default_context()
    for _ in range(_MAX_REDIRECTS + 1):
        with _get(uri, limits, resolve, context) as response:
            if response.status not in _REDIRECTS:
                _check_status(response.status, uri)
                return _save(response, uri, target, limits, tick)
            uri = urljoin(uri, response.headers.get("Location", ""))
    raise StorageError(_REFUSED, f"{uris.redacted(uri)}: more than {_MAX_REDIRECTS} redirections")


@contextmanager
def _get(
    uri: str, limits: Limits, resolve: addresses.Resolve, context: ssl.SSLContext
) -> Iterator[urllib3.BaseHTTPResponse]:
    parts = uris.split(uri, _REFUSED)
    host, port = _host_and_port(parts, limits)
    found = addresses.checked_addresses(host, port, private_allowed=bool(limits.https_hosts), resolve=resolve)
    failure: HTTPError | None = None
    for address in found:
        pool = urllib3.HTTPSConnectionPool(
            address,
            port,
            server_hostname=host,  # SNI and the certificate are the host's, whatever the address
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
        raise StorageError(
            _REFUSED, f"{shown}: a user or a password in the URI could be read by everyone who sees the job"
        )
    if limits.granted is not None and not tenancy.covers(limits.granted, parts):
        raise StorageError(_REFUSED, f"{shown} is not left to namespace {limits.namespace or '(none)'} by this worker")
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise StorageError(_REFUSED, f"{shown} names no host")
    if limits.https_hosts and host not in limits.https_hosts:
        raise StorageError(_REFUSED, f"host {host} is not among those that this worker may download from")
    return host, parts.port or _HTTPS_PORT


def _check_status(status: int, uri: str) -> None:
    shown = uris.redacted(uri)
    if status in _MISSING:
        raise StorageError("INPUT_NOT_FOUND", f"{shown} is not there (HTTP {status})")
    if status in _FORBIDDEN:
        raise StorageError(_REFUSED, f"{shown} may not be read (HTTP {status})")
    if status != _OK:
        raise StorageError(_UNREACHABLE, f"{shown} answered HTTP {status}")


def _save(response: urllib3.BaseHTTPResponse, uri: str, target: Path, limits: Limits, tick: Tick) -> int:
    said = response.headers.get("Content-Length", "")
    expected = int(said) if said.isdecimal() else None
    if expected is not None and expected > limits.max_bytes:
        raise StorageError(
            _REFUSED, f"{uris.redacted(uri)} has {_mb(expected)}; this worker takes {_mb(limits.max_bytes)}"
        )
    done = 0
    try:
        with target.open("xb") as file:
            for chunk in response.stream(_CHUNK_BYTES, decode_content=False):
                done += len(chunk)
                if done > limits.max_bytes:
                    raise StorageError(
                        _REFUSED,
                        f"{uris.redacted(uri)} has more than {_mb(limits.max_bytes)}, all that this worker takes",
                    )
                file.write(chunk)
                tick(done / expected if expected else 0.0, f"{_mb(done)} downloaded")
    except HTTPError as error:
        raise StorageError(_UNREACHABLE, f"{uris.redacted(uri)} broke off after {_mb(done)}: {error}") from None
    if expected is not None and done != expected:
        raise StorageError(_UNREACHABLE, f"{uris.redacted(uri)} broke off after {done} of {expected} bytes")
    return done


def _mb(count: int) -> str:
    return f"{count / 1024**2:.1f} MB"
