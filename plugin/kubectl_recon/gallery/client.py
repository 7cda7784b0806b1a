"""Gallery client: requests with the token of a user."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError

from kubectl_recon.errors import ReconError
from kubectl_recon.jobs.job import Job

_CHUNK_BYTES: Final = 1 << 20
_JSON: Final = "application/json"
_TIMEOUT: Final = urllib3.Timeout(connect=10.0, read=60.0)


class GalleryError(ReconError):
    """The gallery rejected a request, or does not respond."""


class Gallery:
    """The gallery at an address, with the token of a user. All methods raise GalleryError."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT)

    def cookie(self) -> str:
        """Start a session for the browser, and return its Set-Cookie header."""
        # The only request whose origin is checked as that of a browser.
        headers = {"Origin": self.url, "Content-Type": _JSON}
        answer = self._send("POST", "/api/session", json.dumps({"token": self._token}), headers)
        return str(answer.headers["set-cookie"])

    def page(self, job: Job) -> str:
        """Return the path of the job's page."""
        return f"/jobs/{quote(job.namespace, safe='')}/{quote(job.name, safe='')}"

    def result(self, job: Job) -> GalleryResult:
        """Return the files of the job's result."""
        return GalleryResult(self, f"/api/namespaces/{quote(job.namespace, safe='')}/jobs/{quote(job.name, safe='')}")

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, *, stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        """Send a GET, and return the response."""
        return self._send("GET", path, None, {**self._authorized, **(headers or {})}, stream=stream)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST, and return the JSON of the response."""
        answer = self._send("POST", path, json.dumps(body), {**self._authorized, "Content-Type": _JSON})
        return json.loads(answer.data)

    def put(self, path: str, file: Path) -> None:
        """Upload a file by PUT."""
        with file.open("rb") as content:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)}
            self._send("PUT", path, content, {**self._authorized, **headers})

    def delete(self, path: str) -> None:
        """Send a DELETE."""
        self._send("DELETE", path, None, self._authorized)

    @property
    def _authorized(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _send(
        self, method: str, path: str, body: str | IO[bytes] | None, headers: Mapping[str, str], *, stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request(
                method, self.url + path, body=body, headers=headers, preload_content=not stream, retries=False
            )
        except HTTPError as error:
            raise GalleryError(f"the gallery at {self.url} does not respond: {error}") from error
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise GalleryError("the gallery does not accept the token: use a service account of yours with --account")
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise GalleryError(f"the gallery rejects {path}: {answer.data.decode(errors='replace').strip()[:300]}")
        return answer


class GalleryResult:
    """A result that is read through the gallery; a `Source` of `storage.downloading`."""

    def __init__(self, gallery: Gallery, path: str) -> None:
        self._gallery, self._path = gallery, path

    def read(self, name: str) -> bytes:
        """Return the content of a small file."""
        if name == "manifest.json":  # the gallery has it in the job's JSON, not as a file
            body: dict[str, Any] = json.loads(self._gallery.get(self._path).data)
            return json.dumps(
                {"taskId": "", "uri": "", **(body.get("result") or {})}
            ).encode()  # which it does not show
        return self._gallery.get(self._file(name)).data

    def chunks(self, name: str, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `begin` to before `end`."""
        with self._gallery.get(self._file(name), {"Range": f"bytes={begin}-{end - 1}"}, stream=True) as answer:
            try:
                yield from answer.stream(_CHUNK_BYTES)
            except HTTPError as error:
                raise GalleryError(f"the connection to the gallery was lost: {error}") from error

    def _file(self, name: str) -> str:
        return f"{self._path}/files/{quote(name)}"
