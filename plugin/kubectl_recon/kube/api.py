"""API client: the connection to a cluster, and requests in plain JSON, without model classes, so that large lists are
parsed fast.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient
from reconstruction_operator.kube import errors, parsing, paths
from reconstruction_operator.kube.access import ClusterAccess, find_cluster
from reconstruction_operator.kube.errors import NoClusterError, TooLargeError
from reconstruction_operator.kube.pages import Pages
from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError

from kubectl_recon import __version__
from kubectl_recon.errors import ApiError, KubeconfigError, ReconError, SilentError, UnreachableError, api_error

MERGE_PATCH: Final = "application/merge-patch+json"
_FIELD_MANAGER: Final = "kubectl-recon"  # under this name the API server records changes of this program
_SAME_CLOCK_SECONDS: Final = 3.0  # the date of a response has whole seconds, and the response took some time
_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 60.0
_READ_RETRIES: Final = 3  # of GET requests, and of requests that the server asked to repeat
_CHUNK_BYTES: Final = 1 << 20
_NOT_SERVED: Final = ("404 page not found", "the server could not find the requested resource")


class Api:
    """The API server of one connection. All methods raise ApiError and UnreachableError."""

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._pool: urllib3.PoolManager = ApiClient(access.configuration).rest_client.pool_manager
        self.server = access.server
        self.clock_ahead_seconds = 0.0
        """How far this machine's clock is ahead of the API server's, by the last response; 0 if the difference is
        small.
        """
        self.cut: dict[str, None] = {}
        """The objects that are nested too deep to be read whole, by name."""

    def now(self) -> datetime:
        """Return the time of the API server's clock, to compare with times of objects."""
        return datetime.now(UTC) - timedelta(seconds=self.clock_ahead_seconds)

    def get(self, path: str, **query: str | int | None) -> dict[str, Any]:
        """Return one object, or any other JSON."""
        return self._decoded(self._send("GET", path, query))

    def text(self, path: str, **query: str | int | None) -> str:
        """Return a text: a log, or metrics through a proxy."""
        return self._send("GET", path, query, accept="*/*").data.decode(errors="replace")

    def items(self, path: str, **query: str | None) -> list[dict[str, Any]]:
        """List objects in pages, and return all of them."""
        bodies: list[dict[str, Any]] = []
        pages, failures = Pages(_set(query), self._report), 0
        while not pages.complete:
            try:
                page = pages.add(self.read(path, pages.query, pages.max_bytes))
            except errors.ApiError as error:
                try:
                    pages.failed(error)
                except errors.ApiError:
                    failures += 1
                    if isinstance(error, ApiError) or (failures > _READ_RETRIES and isinstance(error, ReconError)):
                        raise
                    if failures > _READ_RETRIES:
                        raise UnreachableError(f"{self.server}: {error.message}") from error
            else:
                bodies += (dict(parsing.mapping(item)) for item in page.items)
        return bodies

    def post(self, path: str, body: Mapping[str, Any], **query: str | int | None) -> dict[str, Any]:
        """Create an object, and return it."""
        return self._decoded(self._send("POST", path, _writing(query), body=body))

    def merge(self, path: str, patch: Mapping[str, Any], **query: str | int | None) -> dict[str, Any]:
        """Apply a merge patch, and return the changed object."""
        return self._decoded(self._send("PATCH", path, _writing(query), body=patch, content_type=MERGE_PATCH))

    def token(self) -> str | None:
        """Return the bearer token of the connection, refreshed if it has expired; None if it authenticates in another
        way.
        """
        kind, _, token = self._access.authorization().partition(" ")
        return token if kind.lower() == "bearer" and token else None

    def read(self, path: str, query: Mapping[str, str], max_bytes: int) -> bytes:
        """Return a response; raise TooLargeError if it has more bytes."""
        text = bytearray()
        with closing(self.chunks(path, query, _READ_SECONDS, compressed=True)) as chunks:
            for chunk in chunks:
                text += chunk
                if len(text) > max_bytes:
                    raise TooLargeError(max_bytes)
        return bytes(text)

    def chunks(
        self, path: str, query: Mapping[str, str | None], silence_seconds: float | None, *, compressed: bool = False
    ) -> Generator[bytes, None, None]:
        """Yield the pieces of a list, a watch or a log as they arrive, until the server ends the response.

        Raises SilentError after `silence_seconds` without a piece, and other ApiErrors.
        """
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=silence_seconds)
        accept = "application/json" if compressed else "*/*"
        response = self._send(
            "GET", path, query, timeout=timeout, accept=accept, preload_content=False, compressed=compressed
        )
        try:
            yield from response.stream(_CHUNK_BYTES if compressed else None, decode_content=True)
        except ReadTimeoutError as error:
            raise SilentError(silence_seconds or 0.0) from error
        except HTTPError as error:
            raise UnreachableError(f"the connection to {self.server} was lost: {_cause(error)}") from error
        finally:
            response.close()

    def close(self) -> None:
        """Close the open connections."""
        self._pool.clear()

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
        compressed: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": f"kubectl-recon/{__version__}"}
        if compressed:  # the API server compresses above 128 KiB, a list of jobs to a tenth
            headers["Accept-Encoding"] = "gzip"
        if authorization := self._access.authorization():
            headers["Authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = content_type
        encoded = urlencode(_set(query))
        try:
            response = self._pool.request(
                method,
                self.server + path + (f"?{encoded}" if encoded else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=timeout or urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
                retries=_retries(method),
                preload_content=preload_content,
            )
            self._compare_clocks(response.headers.get("Date"))
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise _refusal(path, response.status, response.data)
        except HTTPError as error:
            raise UnreachableError(f"the API server at {self.server} does not respond: {_cause(error)}") from error
        return response

    def _compare_clocks(self, date: str | None) -> None:
        try:
            ahead = (datetime.now(UTC) - parsedate_to_datetime(date or "")).total_seconds()
        except (ValueError, TypeError):  # a proxy in between removed the header
            return
        self.clock_ahead_seconds = ahead if abs(ahead) > _SAME_CLOCK_SECONDS else 0.0

    def _decoded(self, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        try:
            body: dict[str, Any] = parsing.parse(response.data, self._report)
        except ValueError as error:
            raise UnreachableError(
                f"{self.server} does not respond with JSON: is it a Kubernetes API server?"
            ) from error
        return body

    def _report(self, name: str) -> None:
        if name not in self.cut:
            self.cut[name] = None
            parsing.warn(name)


@dataclass(frozen=True, slots=True)
class Connection:
    """The API of one cluster, and the namespace of the context."""

    api: Api
    context: str  # empty in a pod
    namespace: str
    kubeconfig: str = ""  # paths of the files, as in KUBECONFIG; empty in a pod
    options: str = ""  # with which another command selects the same cluster and namespace

    def kubectl(self, namespace: str) -> tuple[list[str], dict[str, str]] | None:
        """Return the beginning of a kubectl command for this cluster, and its environment; None without kubectl on
        PATH.
        """
        if (program := shutil.which("kubectl")) is None:
            return None
        context = ["--context", self.context] if self.context else []
        return [program, *context, "-n", namespace], os.environ | (
            {"KUBECONFIG": self.kubeconfig} if self.kubeconfig else {}
        )


def connect(context: str | None = None, kubeconfig: str | None = None, namespace: str | None = None) -> Connection:
    """Connect as kubectl would. Raises KubeconfigError.

    This loads the credentials, and may run an exec plugin, but sends no request to the API server.
    """
    try:
        access = find_cluster(context=context, kubeconfig=kubeconfig)
    except NoClusterError as error:
        raise KubeconfigError(str(error)) from error
    given = {"--namespace": namespace, "--context": context, "--kubeconfig": kubeconfig}
    options = shlex.join(text for name, value in given.items() if value for text in (name, value))
    return Connection(Api(access), access.context, namespace or access.namespace, access.kubeconfig, options)


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


def _set(query: Mapping[str, str | int | None]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _writing(query: Mapping[str, str | int | None]) -> dict[str, str | int | None]:
    return {"fieldManager": _FIELD_MANAGER, **query}


def _refusal(path: str, status: int, data: bytes) -> ApiError:
    """Return the error with the server's own message, if there is one."""
    refused = parsing.refusal(status, data)
    message = refused.message.strip() or f"HTTP status {status}"
    if path.startswith(paths.GROUP_PATH) and message.endswith(_NOT_SERVED):
        message = "this cluster has no ReconstructionJobs: the CRD is not installed (kubectl recon doctor)"
    elif "is forbidden: User" in message:
        message += ". Ask an administrator for the ClusterRole reconstruction-editor in that namespace"
    return api_error(status, message, refused.continue_token)


def _cause(error: HTTPError) -> str:
    cause: object = error.reason if isinstance(error, MaxRetryError) and error.reason is not None else error
    return str(cause)
