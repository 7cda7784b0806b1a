"""API client for an event loop: requests of a program to the API server, for itself or with the rights of a user.

The calls go over aiohttp with plain JSON, a third of the cost of the `kubernetes` library for each status write.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import msgspec
from multidict import CIMultiDict

from reconstruction_operator.kube import access, parsing
from reconstruction_operator.kube.access import ClusterAccess
from reconstruction_operator.kube.errors import ApiError, NoClusterError, SilentError, TooLargeError

_log = logging.getLogger(__name__)

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"  # JSON is YAML
UNCHECKED: Final = "?fieldValidation=Ignore"
"""Query of a frequent write: the server need not search for misspelt fields, about which it would only warn."""
_JSON: Final = "application/json"
_TIMEOUT_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 5.0
_CONNECTIONS: Final = 64
_CHUNK_BYTES: Final = 1 << 20
# Between two reads of rejected credentials: a plugin may be slow, or prompt the user
_REFRESH_SECONDS: Final = 10.0
_AUTHORIZED_SECONDS: Final = 10.0  # for which a loaded token is used: they are rotated minutes before they expire

UserHeaders = Sequence[tuple[str, str]]
"""The headers that name a user: a token, or an impersonation by the program's own credentials."""


async def find_cluster() -> ClusterAccess:
    """See `access.find_cluster`; a thread loads the credentials, since an exec plugin may be slow.

    Raises NoClusterError.
    """
    return await asyncio.to_thread(access.find_cluster)


class Api:
    """Sends requests and parses responses.

    `find` gets fresh credentials when the API server rejects the old ones: tokens expire.

    `program` is sent as the user agent, which is also the manager of the fields that the program writes.
    """

    def __init__(
        self,
        access: ClusterAccess,
        find: Callable[[], Awaitable[ClusterAccess]] = find_cluster,
        *,
        program: str = "reconstruction-operator",
    ) -> None:
        self._access = access
        self._find = find
        self._program = program
        self._refused_at = -_REFRESH_SECONDS
        # By whether they have the program's own client certificate: a user's request must never carry it.
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._answered_at: float | None = None  # monotonic; any response counts
        self._dated: str | None = None  # the time of that response by the API server's clock
        self._authorizing = asyncio.Lock()
        self._authorized, self._authorized_until = "", -math.inf

    @property
    def silent_seconds(self) -> float:
        """How long ago the API server last responded; infinite if it never did."""
        return math.inf if self._answered_at is None else time.monotonic() - self._answered_at

    def now(self) -> datetime:
        """Return the time of the API server's clock, to compare with times of objects; without a response, of this
        machine's.
        """
        try:
            return parsedate_to_datetime(self._dated or "") + timedelta(seconds=self.silent_seconds)
        except ValueError:  # none yet, or a proxy in between removed the header
            return datetime.now(UTC)

    async def close(self) -> None:
        """Close the connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def get(self, path: str, *, accept: str = _JSON, **params: str) -> dict[str, Any]:
        """Send a GET request; raises ApiError."""
        return await self.request("GET", path, params=params, accept=accept)

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
        as_user: UserHeaders | None = None,
    ) -> dict[str, Any]:
        """Send a request, and return the JSON object of the response. `as_user`: have only that user's rights.

        Raises ApiError if the status is 400 or more, the response is not a JSON object, or none came in time.
        """
        data = None if body is None else encoded(body)
        headers = {"Accept": accept} | ({} if data is None else {"Content-Type": content_type})
        async with self._sent(
            method, path, params=params, headers=headers, timeout_seconds=timeout_seconds, as_user=as_user, data=data
        ) as response:
            text = await response.read()
        try:
            parsed = parsing.parse(text or b"{}")
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise ApiError(0, "NotJson", "the response is not a JSON object")
        return parsed

    async def read(self, path: str, query: Mapping[str, str], max_bytes: int, accept: str = _JSON) -> bytes:
        """Return the response to a GET request. Raises ApiError, and TooLargeError if it has more than `max_bytes`."""
        # Compression would cost the API server more time than it saves on the network.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        async with self._sent("GET", path, params=query, headers=headers, timeout_seconds=_TIMEOUT_SECONDS) as response:
            text = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                text += chunk
                if len(text) > max_bytes:
                    response.close()
                    raise TooLargeError(max_bytes)
            return bytes(text)

    async def chunks(self, path: str, query: Mapping[str, str], silence_seconds: float) -> AsyncGenerator[bytes, None]:
        """Yield the pieces of a watch or a log as they arrive, until the API server ends it.

        Raises SilentError and other ApiErrors.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silence_seconds)
        headers = {"Accept": "*/*"}
        async with self._sent(
            "GET", path, params=query, headers=headers, timeout_seconds=None, timeout=timeout
        ) as response:
            pieces = response.content.iter_any()
            while True:
                try:
                    chunk = await anext(pieces)
                except StopAsyncIteration:
                    return
                except aiohttp.SocketTimeoutError as error:
                    raise SilentError(silence_seconds) from error
                yield chunk

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        timeout_seconds: float | None,
        as_user: UserHeaders | None = None,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request, and yield the response.

        Raises ApiError for a status from 400, and if reading it fails or takes too long.
        """
        names = {name for name, _ in as_user or ()}
        if as_user is not None and not names & {"Authorization", "Impersonate-User"}:
            raise ValueError("a request as a user must name the user")  # it would have the program's rights
        own, status = "Authorization" not in names, 0
        try:
            async with asyncio.timeout(timeout_seconds):
                session, url = self._session(own=own), self._access.server + path
                all_headers = await self._headers(as_user, headers, own=own)
                async with session.request(method, url, params=params, headers=all_headers, **options) as response:
                    self._answered_at, status = time.monotonic(), response.status
                    self._dated = response.headers.get("Date")
                    if status >= HTTPStatus.BAD_REQUEST:
                        raise parsing.refusal(status, await response.read(), response.headers.get("Retry-After"))
                    yield response
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a line break in a header
            raise ApiError(0, type(error).__name__, str(error) or f"{method} {path}") from error
        finally:
            if status == HTTPStatus.UNAUTHORIZED and own:
                await self._refresh()

    async def _headers(self, as_user: UserHeaders | None, headers: Mapping[str, str], *, own: bool) -> CIMultiDict[str]:
        all_headers = CIMultiDict([*(as_user or ()), *headers.items(), ("User-Agent", self._program)])
        if own and (authorization := await self._authorization()):
            all_headers["Authorization"] = authorization
        return all_headers

    async def _authorization(self) -> str:
        """Return the program's own credentials. They are loaded in a thread, because a kubeconfig may run a plugin."""
        async with self._authorizing:
            if time.monotonic() >= self._authorized_until:
                try:
                    self._authorized = await asyncio.to_thread(self._access.authorization)
                except access.UNUSABLE as error:
                    raise ApiError(0, type(error).__name__, str(error)) from error
                self._authorized_until = time.monotonic() + _AUTHORIZED_SECONDS
            return self._authorized

    def _session(self, *, own: bool) -> aiohttp.ClientSession:
        if own not in self._sessions:
            context = self._access.ssl_context(client_certificate=own)
            self._sessions[own] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=_CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),  # no user's cookie may reach another user's request
            )
        return self._sessions[own]

    async def _refresh(self) -> None:
        """Read the credentials again; the caller repeats the request."""
        if time.monotonic() - self._refused_at < _REFRESH_SECONDS:
            return
        self._refused_at = time.monotonic()
        try:
            self._access = await self._find()
        except NoClusterError as error:
            _log.warning("The API server rejected the credentials, and no other credentials are available: %s", error)
            return
        self._authorized_until = -math.inf
        session = self._sessions.pop(True, None)  # its TLS context may hold an old client certificate
        if session is not None:
            await session.close()


def encoded(body: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Encode the body of a request as JSON."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half of a surrogate pair, from a worker: the API server replaces it if it is escaped
        return json.dumps(body, separators=(",", ":")).encode()
