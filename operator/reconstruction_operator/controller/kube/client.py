"""API client: finds the API server and the credentials, and makes the few calls that the operator needs.

The `kubernetes` library finds the server and the credentials (a kubeconfig with all its plugins, or the pod's service
account). The calls themselves go over aiohttp with plain JSON, a third of the library's cost for each status write.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp
import msgspec
import yaml
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration

from reconstruction_operator.controller.kube import answers, bodies

_log = logging.getLogger(__name__)

JSON_PATCH: Final = "application/json-patch+json"
UNCHECKED: Final = "?fieldValidation=Ignore"
"""Query of a frequent write: the server need not search for misspelt fields, about which it would only warn."""
_JSON: Final = "application/json"
_USER_AGENT: Final = "reconstruction-operator"  # also the manager of the fields that we write
_TIMEOUT_SECONDS: Final = 10.0
# Between two reads of rejected credentials: a plugin may be slow, or prompt the user
_REFRESH_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.5
_PAUSE_MAX_SECONDS: Final = 30.0  # API servers send a Retry-After of 1; a proxy in between must not end all writes


class NoClusterError(Exception):
    """Neither a kubeconfig nor a pod's service account names an API server."""


class ApiError(Exception):
    """The API server rejected a request, or did not respond (`status` 0)."""

    def __init__(self, status: int, reason: str, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{status or 'no response'} {reason}: {message}" if reason else f"{status}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed in a moment."""
        passing = (0, HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
        return self.status in passing or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def pause_seconds(self) -> float:
        """How long to wait before the same request: Retry-After, up to half a minute."""
        return min(self.retry_after_seconds or _PAUSE_SECONDS, _PAUSE_MAX_SECONDS)


class SupportsRequest(Protocol):
    """The part of `Api` that the writers use."""

    async def request(  # noqa: D102  # as Api.request
        self, method: str, path: str, *, body: Any, content_type: str, timeout_seconds: float
    ) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The address of the API server, and the credentials for it."""

    server: str
    ssl_context: ssl.SSLContext
    configuration: Configuration

    async def headers(self) -> dict[str, str]:
        """Return the Authorization header, read again each time: tokens of service accounts are rotated."""
        token = await self.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            scheme, _, value = str(token).rpartition(" ")
            return {"Authorization": f"{scheme or 'Bearer'} {value.strip()}"}
        if self.configuration.username:
            return {"Authorization": str(self.configuration.get_basic_auth_token())}
        return {}


async def find_cluster(environ: Mapping[str, str] = os.environ) -> ClusterAccess:
    """Return the API server of KUBECONFIG, of ~/.kube/config, or of the pod, in this order.

    Raises NoClusterError if there is none of these, or it cannot be read.
    """
    configuration = Configuration()
    named = environ.get("KUBECONFIG")
    default = Path(environ.get("HOME", "/nonexistent")) / ".kube" / "config"
    try:
        if named or ("KUBERNETES_SERVICE_HOST" not in environ and default.exists()):
            await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]  # the library is not annotated
                config_file=named or str(default), client_configuration=configuration, persist_config=False
            )
        else:
            kubernetes_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # the same
    except (kubernetes_config.ConfigException, yaml.YAMLError, OSError) as error:
        raise NoClusterError(
            f"no API server: {error}. Set KUBECONFIG, or run in a pod with a service account."
        ) from error
    client = ApiClient(configuration)
    return ClusterAccess(str(configuration.host).rstrip("/"), client.rest_client.ssl_context, configuration)


class Api:
    """Sends requests and parses responses. `find` gets fresh credentials when the API server rejects the old ones: tokens expire."""

    def __init__(
        self,
        access: ClusterAccess,
        find: Callable[[], Awaitable[ClusterAccess]] = find_cluster,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._find = find
        self._refused_at = -_REFRESH_SECONDS
        self._monotonic = monotonic
        self._session: aiohttp.ClientSession | None = None
        self._answered_at: float | None = None  # monotonic; any response counts

    @property
    def silent_seconds(self) -> float:
        """How long ago the API server last responded; infinite if it never did."""
        return math.inf if self._answered_at is None else self._monotonic() - self._answered_at

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, *, accept: str = _JSON, **params: str) -> dict[str, Any]:
        """Send a GET request; raises ApiError."""
        return await self.request("GET", path, params=params, accept=accept)

    async def get_page(self, path: str, *, accept: str = _JSON, **params: str) -> bodies.Page:
        """Get one page of a list; raises ApiError."""
        # Compression would cost the API server more time than it saves on the network.
        status, text, retry_after = await self._send(
            "GET", path, params=params, headers={"Accept": accept, "Accept-Encoding": "identity"}
        )
        if status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(status, text, retry_after)
        try:
            return bodies.page(text)
        except ValueError as error:
            raise ApiError(0, "NotJson", "the response is not a list") from error

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        params: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> dict[str, Any]:
        """Send a request, and return the JSON of the response.

        Raises ApiError if the status is 400 or more, the response is not JSON, or none came in time.
        """
        data = None if body is None else encoded(body)
        headers = {"Accept": accept} | ({} if data is None else {"Content-Type": content_type})
        return _parsed(
            *await self._send(method, path, data=data, params=params, headers=headers, timeout_seconds=timeout_seconds)
        )

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        data: bytes | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> tuple[int, bytes, str | None]:
        """Return the status, content and Retry-After of the response. Raises ApiError if none came in time."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._access.ssl_context, limit=32),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5.0),
                response_class=answers.Answer,
                middlewares=[answers.BoundedPages()],
            )
        try:
            async with asyncio.timeout(timeout_seconds):
                headers = {**await self._access.headers(), **headers, "User-Agent": _USER_AGENT}
                url = self._access.server + path
                async with self._session.request(method, url, data=data, params=params, headers=headers) as response:
                    text = await response.read()
                    status, retry_after = response.status, response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError, OSError, kubernetes_config.ConfigException) as error:
            raise ApiError(0, type(error).__name__, str(error) or f"{method} {path}") from error
        self._answered_at = self._monotonic()
        if status == HTTPStatus.UNAUTHORIZED:
            await self._refresh()
        return status, text, retry_after

    async def _refresh(self) -> None:
        """Read the credentials again; the caller repeats the request."""
        if self._monotonic() - self._refused_at < _REFRESH_SECONDS:
            return
        self._refused_at = self._monotonic()
        try:
            self._access = await self._find()
        except NoClusterError as error:
            _log.warning("The API server rejected the credentials, and no other credentials are available: %s", error)
            return
        session, self._session = self._session, None  # its TLS context may hold an old client certificate
        if session is not None:
            await session.close()


def encoded(body: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Encode the body of a request as JSON."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half of a surrogate pair, from a worker: the API server replaces it if it is escaped
        return json.dumps(body, separators=(",", ":")).encode()


def _parsed(status: int, text: bytes, retry_after: str | None) -> dict[str, Any]:
    if status >= HTTPStatus.BAD_REQUEST:
        raise _refusal(status, text, retry_after)
    parsed = _json(text)
    if not isinstance(parsed, dict):
        raise ApiError(0, "NotJson", "the response is not a JSON object")
    return parsed


def _refusal(status: int, text: bytes, retry_after: str | None) -> ApiError:
    parsed = _json(text)
    details = parsed if isinstance(parsed, dict) else {}
    message = str(details.get("message") or text[:200].decode("utf-8", "replace"))
    return ApiError(status, str(details.get("reason", "")), message, _seconds(retry_after))


def _json(text: bytes) -> Any:
    try:
        return answers.parse(text or b"{}")
    except ValueError:
        return None


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None  # a date, which API servers do not send; the caller has its own delay
