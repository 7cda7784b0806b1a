"""API client: the few requests that the launcher itself needs, without a client library."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from devcluster.errors import ApiError

_REQUEST_SECONDS = 10.0


class ApiClient:
    """Sends JSON requests to one API server, as the token's user."""

    def __init__(self, port: int, ca: Path, token: str) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(ca))
        self.token = token

    def get(self, path: str) -> Any:
        """Read an object, or a plain text like that of /readyz."""
        return self.request("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Create an object."""
        return self.request("POST", path, body)

    def delete(self, path: str) -> Any:
        """Delete an object."""
        return self.request("DELETE", path)

    def is_there(self, path: str) -> bool:
        """Whether an object exists. An error answer, as of a server that starts, counts as no."""
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
        """Send one request on a new connection; raise ApiError for an error status."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, context=self._tls, timeout=_REQUEST_SECONDS)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        with contextlib.closing(connection):
            try:
                if body is None:
                    connection.request(method, path, headers=headers)
                else:
                    headers["Content-Type"] = content_type
                    connection.request(method, path, json.dumps(body), headers)
                answer = connection.getresponse()
                content = answer.read()
            except http.client.HTTPException as error:
                # A server that is killed in the middle of an answer: like any other broken connection.
                raise ConnectionError(f"{method} {path}: {error!r}") from error
        shown = _decoded(content)
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            message = shown.get("message", "") if isinstance(shown, dict) else str(shown)
            raise ApiError(method, path, answer.status, message)
        return shown


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError:  # /readyz and its like are plain text
        return content.decode(errors="replace")
