"""API client: requests in plain JSON, without model classes, so that large lists are parsed fast."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient
from urllib3.exceptions import HTTPError, MaxRetryError

from kubectl_recon import __version__
from kubectl_recon.errors import ApiError, UnreachableError, api_error
from kubectl_recon.kube.resources import FIELD_MANAGER

PAGE: Final = 500
"""Objects in one page of a list."""

MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"  # JSON is YAML
_SAME_CLOCK_SECONDS: Final = 3.0  # the date of a response has whole seconds, and the response took some time
_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 60.0
_READ_RETRIES: Final = 3  # of GET requests, and of requests that the server asked to repeat


class Api:
    """The API server of one connection. All methods raise ApiError and UnreachableError."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._pool: urllib3.PoolManager = client.rest_client.pool_manager
        self.server = str(client.configuration.host)
        self.clock_ahead_seconds = 0.0
        """How far this machine's clock is ahead of the API server's, by the last response; 0 if the difference is small."""

    def now(self) -> datetime:
        """Return the time of the API server's clock, to compare with times of objects."""
        return datetime.now(UTC) - timedelta(seconds=self.clock_ahead_seconds)

    def get(self, path: str, **query: str | int | None) -> dict[str, Any]:
        """Return one object, or any other JSON."""
        return self._decoded(self._request("GET", path, query))

    def text(self, path: str, **query: str | int | None) -> str:
        """Return a text: a log, or metrics through a proxy."""
        return self._request("GET", path, query, accept="*/*").decode(errors="replace")

    def items(self, path: str, **query: str | int | None) -> tuple[list[dict[str, Any]], str]:
        """List objects in pages; return all of them, and the resource version to watch from."""
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        more: str | None = None
        while more is None or more:
            page = self.get(path, limit=PAGE, **{"continue": more}, **query)
            found += page.get("items") or []
            more = page.get("metadata", {}).get("continue") or ""
        return found, str(page.get("metadata", {}).get("resourceVersion", ""))

    def post(self, path: str, body: Mapping[str, Any], **query: str | int | None) -> dict[str, Any]:
        """Create an object, and return it."""
        return self._decoded(self._request("POST", path, _writing(query), body=body))

    def merge(self, path: str, patch: Mapping[str, Any], **query: str | int | None) -> dict[str, Any]:
        """Apply a merge patch, and return the changed object."""
        return self._decoded(self._request("PATCH", path, _writing(query), body=patch, content_type=MERGE_PATCH))

    def apply(self, path: str, body: Mapping[str, Any], **query: str | int | None) -> dict[str, Any]:
        """Apply an object server-side, and return it."""
        return self._decoded(self._request("PATCH", path, _writing(query), body=body, content_type=APPLY_PATCH))

    def token(self) -> str | None:
        """Return the bearer token of the connection, refreshed if it has expired; None if it authenticates in another way."""
        headers: dict[str, str] = {}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
        sent = {name.lower(): value for name, value in headers.items()}.get("authorization", "")
        kind, _, found = sent.partition(" ")
        return found if kind.lower() == "bearer" and found else None

    @contextmanager
    def lines(
        self, path: str, *, read_seconds: float | None = None, **query: str | int | None
    ) -> Iterator[Iterator[bytes]]:
        """Yield the lines of a watch or a log as they arrive, until the server ends the response.

        `read_seconds`: timeout of each read; None for none.
        """
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds)
        response = self._send("GET", path, query, timeout=timeout, accept="*/*", preload_content=False)
        try:
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise _refusal(response.status, response.read())
            yield _lines(response, self.server)
        finally:
            response.close()

    def close(self) -> None:
        """Close the open connections."""
        self._pool.clear()

    def _request(self, method: str, path: str, query: Mapping[str, str | int | None], **options: Any) -> bytes:
        response = self._send(method, path, query, **options)
        self._compare_clocks(response.headers.get("Date"))
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(response.status, response.data)
        return response.data

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int | None],
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: urllib3.Timeout | None = None,
        preload_content: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": f"kubectl-recon/{__version__}"}
        if preload_content:  # the API server compresses above 128 KiB, a list of jobs to a tenth
            headers["Accept-Encoding"] = "gzip"
        # This also refreshes an expired token.
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        if body is not None:
            headers["Content-Type"] = content_type
        wanted = urlencode({name: value for name, value in query.items() if value is not None})
        try:
            return self._pool.request(
                method,
                self.server + path + (f"?{wanted}" if wanted else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=timeout or urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
                retries=_retries(method),
                preload_content=preload_content,
            )
        except HTTPError as error:
            raise UnreachableError(f"the API server at {self.server} does not respond: {_cause(error)}") from error

    def _compare_clocks(self, date: str | None) -> None:
        try:
            ahead = (datetime.now(UTC) - parsedate_to_datetime(date or "")).total_seconds()
        except (ValueError, TypeError):  # a proxy in between removed the header
            return
        self.clock_ahead_seconds = ahead if abs(ahead) > _SAME_CLOCK_SECONDS else 0.0

    def _decoded(self, data: bytes) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise UnreachableError(
                f"{self.server} does not respond with JSON: is it a Kubernetes API server?"
            ) from error
        return found


def _retries(method: str) -> urllib3.Retry:
    reads = _READ_RETRIES if method == "GET" else 0
    return urllib3.Retry(
        total=None,
        connect=1,
        read=reads,
        redirect=0,
        status=_READ_RETRIES,
        status_forcelist=(HTTPStatus.TOO_MANY_REQUESTS,) + ((HTTPStatus.SERVICE_UNAVAILABLE,) if reads else ()),
        allowed_methods=None,
        backoff_factor=0.2,
        raise_on_status=False,
    )


def _writing(query: Mapping[str, str | int | None]) -> dict[str, str | int | None]:
    return {"fieldManager": FIELD_MANAGER, **query}


def _refusal(status: int, data: bytes) -> ApiError:
    """Return the error with the server's own message, if there is one."""
    try:
        message = str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        message = data.decode(errors="replace").strip() or f"HTTP status {status}"
    return api_error(status, message)


def _cause(error: HTTPError) -> str:
    cause: object = error.reason if isinstance(error, MaxRetryError) and error.reason is not None else error
    return str(cause)


def _lines(response: urllib3.BaseHTTPResponse, server: str) -> Iterator[bytes]:
    pending = b""
    try:
        for chunk in response.stream(amt=None, decode_content=True):
            *whole, pending = (pending + chunk).split(b"\n")
            yield from whole
    except HTTPError as error:
        raise UnreachableError(f"the connection to {server} was lost: {_cause(error)}") from error
    if pending:
        yield pending
