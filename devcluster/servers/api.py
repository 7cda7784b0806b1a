"""API client: the few requests that the launcher itself needs, without a client library."""

from __future__ import annotations

import http
import json
import ssl
from pathlib import Path
from typing import Any, Final

import urllib3
from reconstruction_operator.kube import parsing

from devcluster.errors import ApiError

_REQUEST_SECONDS = 10.0
_CONNECTIONS = 10  # kept open, for threads that send requests at the same time

USER_AGENT: Final = "devcluster"
"""The name under which the API server records the client's writes (managedFields)."""


class ApiClient:
    """Sends JSON requests to one API server as the token's user."""

    def __init__(self, port: int, ca: Path, token: str) -> None:
        # Connections stay open: tests poll, and a handshake costs both sides more than the request.
        self._pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            port,
            ssl_context=ssl.create_default_context(cafile=str(ca)),
            timeout=_REQUEST_SECONDS,
            maxsize=_CONNECTIONS,
        )
        self.token = token

    def get(self, path: str) -> Any:
        """Read an object, or a plain text such as that of /readyz."""
        return self.request("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Create an object."""
        return self.request("POST", path, body)

    def delete(self, path: str) -> Any:
        """Delete an object."""
        return self.request("DELETE", path)

    def is_there(self, path: str) -> bool:
        """Return whether an object exists. An error, such as that of a starting server, counts as no."""
        try:
            self.get(path)
        except ApiError:
            return False
        return True

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Patch an object by a JSON merge patch."""
        return self.request("PATCH", path, body, content_type="application/merge-patch+json")

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, content_type: str = "application/json"
    ) -> Any:
        """Send a request. Raise ApiError for an error status, ConnectionError or TimeoutError without an answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "User-Agent": USER_AGENT}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            answer = self._pool.request(
                method, path, body=None if body is None else json.dumps(body), headers=headers, retries=False
            )
        except urllib3.exceptions.NewConnectionError as error:  # a subclass of the next one
            raise ConnectionRefusedError(f"{method} {path}: {error}") from error
        except urllib3.exceptions.TimeoutError as error:
            raise TimeoutError(f"{method} {path}: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(f"{method} {path}: {error}") from error
        shown = _decoded(answer.data)
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            message = shown.get("message", "") if isinstance(shown, dict) else str(shown)
            raise ApiError(method, path, answer.status, message)
        return shown

    def close(self) -> None:
        """Close the open connections."""
        self._pool.close()


def _decoded(content: bytes) -> Any:
    try:
        return parsing.parse(content)
    except ValueError:  # plain text, such as that of /readyz
        return content.decode(errors="replace")
