"""API client: finds the API server, and sends requests with the gallery's own credentials or as a user.

The `kubernetes` library finds the server and the credentials; the requests go over aiohttp with plain JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
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
_SILENCE_SECONDS: Final = 90.0  # silence of a watch: the API server sends a bookmark each minute
_ERROR_STATUS: Final = 400
_MAX_LINE_BYTES: Final = 65_536


class NoClusterError(Exception):
    """Neither a kubeconfig nor a pod's service account names an API server."""


class ApiError(Exception):
    """The API server refused a request, or did not answer it (`status` 0)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status or 'no answer'} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The address of the API server and the gallery's own credentials.

    `anonymous` is a TLS context without a client certificate: a request as a user must never carry the gallery's own.
    """

    server: str
    ssl_context: ssl.SSLContext
    anonymous: ssl.SSLContext
    configuration: Configuration

    async def headers(self) -> dict[str, str]:
        """Authorization, freshly read: tokens of service accounts are rotated."""
        token = await self.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": f"Bearer {str(token).rpartition(' ')[2].strip()}"} if token else {}


async def find_cluster(environ: Mapping[str, str] = os.environ) -> ClusterAccess:
    """The API server of KUBECONFIG, or of the pod. Raises NoClusterError."""
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
    """JSON in, JSON out. Close it at the end."""

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._own = _session(access.ssl_context)
        self._users = _session(access.anonymous)

    @classmethod
    async def connect(cls) -> Api:
        """A client of the cluster that `find_cluster` finds."""
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
        """The answer's JSON. `as_user`: `User.request_headers`, for a request with the rights of that user alone.

        Raises ApiError: any status from 400; no answer within the time; no JSON object.
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
        """The events of a watch, by the gallery's own credentials. Raises ApiError; ends when the API server closes it."""
        headers = {**await self._headers(), "Accept": _JSON, "User-Agent": MANAGER}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_SILENCE_SECONDS)
        try:
            url = self._access.server + path
            async with self._own.get(url, params=params, headers=headers, timeout=timeout) as answer:
                if answer.status >= _ERROR_STATUS:
                    _parsed(answer.status, await answer.read())
                pending = bytearray()
                async for chunk in answer.content.iter_any():
                    pending += chunk
                    *lines, rest = pending.split(b"\n")
                    pending = bytearray(rest)
                    for line in filter(None, lines):
                        yield _event(bytes(line))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, type(error).__name__, str(error) or f"watch of {path}") from error

    async def lines(
        self, path: str, params: Mapping[str, str], *, as_user: Sequence[tuple[str, str]]
    ) -> AsyncIterator[bytes]:
        """The lines of a text, read with the rights of that user, each truncated to 64 kB. Raises ApiError."""
        session, headers = await self._as(as_user)
        headers["Accept"] = "*/*"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_TIMEOUT_SECONDS)
        try:
            url = self._access.server + path
            async with session.get(url, params=params, headers=headers, timeout=timeout) as answer:
                if answer.status >= _ERROR_STATUS:
                    _parsed(answer.status, await answer.read())
                pending = bytearray()
                async for chunk in answer.content.iter_any():
                    pending += chunk
                    *lines, rest = pending.split(b"\n")
                    for line in lines:
                        yield bytes(line[:_MAX_LINE_BYTES])
                    pending = bytearray(rest[:_MAX_LINE_BYTES])
                if pending:
                    yield bytes(pending)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, type(error).__name__, str(error) or f"GET {path}") from error

    async def _as(self, user: Sequence[tuple[str, str]] | None) -> tuple[aiohttp.ClientSession, CIMultiDict[str]]:
        """The connections and headers of a request as the user; None: as the gallery itself."""
        named = {name for name, _ in user or ()}
        if user is not None and not named & {"Authorization", "Impersonate-User"}:
            raise ValueError(
                "a request as a user must name the user"
            )  # without any header the request would have the gallery's own rights
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


def _event(line: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict):
            return event
    raise ApiError(0, "NotJson", "an event of the watch is no JSON object")


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
        raise ApiError(0, "NotJson", "the answer is no JSON object")
    return parsed
