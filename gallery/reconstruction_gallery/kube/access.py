"""API client: finds the API server, and sends requests as the gallery or as a user.

The `kubernetes` library finds the server and the credentials; the requests go over aiohttp with plain JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import yaml
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration
from multidict import CIMultiDict

MERGE_PATCH: Final = "application/merge-patch+json"
MANAGER: Final = "reconstruction-gallery"  # the manager of the fields that users write through the gallery
_JSON: Final = "application/json"
_TIMEOUT_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 90.0  # of a watch: the API server sends a bookmark each minute
_ERROR_STATUS: Final = 400
_MAX_LINE_BYTES: Final = 65_536


class NoClusterError(Exception):
    """There is no kubeconfig, and no service account of a pod."""


class ApiError(Exception):
    """The API server rejected a request, or did not respond (`status` 0)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status or 'no response'} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The address of the API server and the gallery's own credentials.

    `anonymous` is a TLS context without a client certificate: a request as a user must never carry the gallery's certificate.
    """

    server: str
    ssl_context: ssl.SSLContext
    anonymous: ssl.SSLContext
    configuration: Configuration

    async def headers(self) -> dict[str, str]:
        """Return the Authorization header. The token is reloaded for each request: tokens of service accounts are rotated."""
        token = await self.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": f"Bearer {str(token).rpartition(' ')[2].strip()}"} if token else {}


async def find_cluster(environ: Mapping[str, str] = os.environ) -> ClusterAccess:
    """Find the API server by KUBECONFIG, or by the pod's service account. Raises NoClusterError."""
    configuration = Configuration()
    try:
        if named := environ.get("KUBECONFIG"):
            await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]  # the library is not annotated
                config_file=named, client_configuration=configuration, persist_config=False
            )
        else:
            kubernetes_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # the same
    except (kubernetes_config.ConfigException, yaml.YAMLError, OSError) as error:
        raise NoClusterError(
            f"no API server: {error}. Set KUBECONFIG, or run in a pod with a service account."
        ) from error
    context = ApiClient(configuration).rest_client.ssl_context
    anonymous = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    if not configuration.verify_ssl:
        anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
    return ClusterAccess(str(configuration.host).rstrip("/"), context, anonymous, configuration)


class Api:
    """Client of the API server; the caller closes it."""

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._own = _session(access.ssl_context)
        self._users = _session(access.anonymous)

    @classmethod
    async def connect(cls) -> Api:
        """Return a client of the cluster that `find_cluster` finds."""
        return cls(await find_cluster())

    async def close(self) -> None:
        """Close the connections."""
        await self._own.close()
        await self._users.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        as_user: Sequence[tuple[str, str]] | None = None,
    ) -> dict[str, Any]:
        """Send a request and return the JSON object of the response. `as_user`: `User.request_headers`, to have only that user's rights.

        Raises ApiError for a status from 400, no response in time, or a body that is not a JSON object.
        """
        session, headers = await self._as(as_user)
        if body is not None:
            headers["Content-Type"] = content_type
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                url = self._access.server + path
                async with session.request(method, url, data=data, params=params, headers=headers) as answer:
                    text, status = await answer.read(), answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiError(0, type(error).__name__, str(error) or f"{method} {path}") from error
        return _parsed(status, text)

    async def stream(self, path: str, params: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of a watch, as the gallery, until the API server ends it. Raises ApiError."""
        pending = bytearray()
        async with contextlib.aclosing(self._chunks(path, params, *await self._as(None), _SILENCE_SECONDS)) as chunks:
            async for chunk in chunks:
                *lines, pending = (pending + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield _event(line)

    async def lines(
        self, path: str, params: Mapping[str, str], *, as_user: Sequence[tuple[str, str]]
    ) -> AsyncIterator[bytes]:
        """Yield the lines of a text, read as the user, each truncated to 64 kB. Raises ApiError."""
        session, headers = await self._as(as_user)
        headers["Accept"] = "*/*"
        pending = bytearray()
        async with contextlib.aclosing(self._chunks(path, params, session, headers, _TIMEOUT_SECONDS)) as chunks:
            async for chunk in chunks:
                *lines, rest = (pending + chunk).split(b"\n")
                for line in lines:
                    yield bytes(line[:_MAX_LINE_BYTES])
                pending = rest[:_MAX_LINE_BYTES]
        if pending:
            yield bytes(pending)

    async def _chunks(
        self,
        path: str,
        params: Mapping[str, str],
        session: aiohttp.ClientSession,
        headers: CIMultiDict[str],
        silence_seconds: float,
    ) -> AsyncGenerator[bytes, None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=silence_seconds)
        try:
            url = self._access.server + path
            async with session.get(url, params=params, headers=headers, timeout=timeout) as answer:
                if answer.status >= _ERROR_STATUS:
                    _parsed(answer.status, await answer.read())
                async for chunk in answer.content.iter_any():
                    yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, type(error).__name__, str(error) or f"GET {path}") from error

    async def _as(self, user: Sequence[tuple[str, str]] | None) -> tuple[aiohttp.ClientSession, CIMultiDict[str]]:
        """Return the connections and headers of a request as the user; as the gallery for None."""
        named = {name for name, _ in user or ()}
        if user is not None and not named & {"Authorization", "Impersonate-User"}:
            # Without such a header the request would have the gallery's rights.
            raise ValueError("a request as a user must name the user")
        own = "Authorization" not in named
        headers = CIMultiDict(await self._headers() if own else {})
        for name, value in (*(user or ()), ("Accept", _JSON), ("User-Agent", MANAGER)):
            headers.add(name, value)
        return self._own if own else self._users, headers

    async def _headers(self) -> dict[str, str]:
        try:
            return await self._access.headers()
        except (kubernetes_config.ConfigException, OSError) as error:
            raise ApiError(0, type(error).__name__, str(error)) from error


def _session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=64),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
        cookie_jar=aiohttp.DummyCookieJar(),  # no user's cookie may reach another user's request
    )


def _event(line: bytearray) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict):
            return event
    raise ApiError(0, "NotJson", "an event of the watch is not a JSON object")


def _parsed(status: int, text: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(text or b"{}")
    except ValueError:
        parsed = None
    if status >= _ERROR_STATUS:
        details = parsed if isinstance(parsed, dict) else {}
        message = str(details.get("message") or text[:200].decode("utf-8", "replace"))
        raise ApiError(status, str(details.get("reason", "")), message)
    if not isinstance(parsed, dict):
        raise ApiError(0, "NotJson", "the response is not a JSON object")
    return parsed
