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
_MAX_BYTES: Final = 8 << 20  # of a response that is not a file
_JSON: Final = "application/json"
_TIMEOUT: Final = urllib3.Timeout(connect=10.0, read=20.0)


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
        answer, _ = self._send("POST", "/api/session", json.dumps({"token": self._token}), headers)
        if not (cookie := answer.headers.get("set-cookie")):
            raise GalleryError(f"the gallery at {self.url} starts no session")
        return str(cookie)

    def page(self, job: Job) -> str:
        """Return the path of the job's page."""
        return f"/jobs/{quote(job.namespace, safe='')}/{quote(job.name, safe='')}"

    def result(self, job: Job) -> GalleryResult:
        """Return the files of the job's result."""
        return GalleryResult(self, _path(job))

    def log(self, job: Job) -> Any:
        """Return the `lines` of the job's log, and what is `leftOut`."""
        return self.get(_path(job) + "/log")

    def stream(self, path: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Send a GET, and return the response, whose content is not read yet."""
        return self._send("GET", path, None, {**self._authorized, **headers}, stream=True)[0]

    def get(self, path: str) -> Any:
        """Send a GET, and return the JSON of the response."""
        return self._json("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST, and return the JSON of the response."""
        return self._json("POST", path, json.dumps(body))

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

    def _json(self, method: str, path: str, body: str | None) -> Any:
        try:
            return json.loads(self._send(method, path, body, {**self._authorized, "Content-Type": _JSON})[1])
        except (ValueError, RecursionError) as error:
            raise GalleryError(f"the gallery at {self.url} does not respond with JSON") from error

    def _send(
        self, method: str, path: str, body: str | IO[bytes] | None, headers: Mapping[str, str], *, stream: bool = False
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        """Return the response, and its content; nothing of a `stream`. Content beyond the limit is not read."""
        try:
            answer = self._pool.request(
                method, self.url + path, body=body, headers=headers, preload_content=False, retries=False
            )
            failed = answer.status >= HTTPStatus.MULTIPLE_CHOICES
            content = b"" if stream and not failed else answer.read(_MAX_BYTES, decode_content=False)
        except HTTPError as error:
            raise GalleryError(f"the gallery at {self.url} does not respond (ask an administrator): {error}") from error
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise GalleryError("the gallery does not accept the token: use a service account of yours with --account")
        if place := answer.get_redirect_location():  # the user knows no other address than this one
            raise GalleryError(f"the gallery at {self.url} leads to {place}, where nothing was sent")
        if failed:
            raise GalleryError(f"the gallery rejects {path}: {content.decode(errors='replace').strip()[:300]}")
        return answer, content


def _path(job: Job) -> str:
    return f"/api/namespaces/{quote(job.namespace, safe='')}/jobs/{quote(job.name, safe='')}"


class GalleryResult:
    """A result that is read through the gallery; a `Source` of `storage.downloading`."""

    def __init__(self, gallery: Gallery, path: str) -> None:
        self._gallery, self._path = gallery, path

    def manifest(self) -> bytes:
        """Return the manifest: the gallery has it in the job's JSON, without what it does not show,
        and not as a file.
        """
        result = self._gallery.get(self._path).get("result") or {}
        return json.dumps({"uri": "", **result, "parameters": {}}).encode()

    def chunks(self, name: str, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `begin` to before `end`."""
        path = f"{self._path}/files/{quote(name)}"
        with self._gallery.stream(path, {"Range": f"bytes={begin}-{end - 1}"}) as answer:
            try:
                yield from answer.stream(_CHUNK_BYTES, decode_content=False)
            except HTTPError as error:
                raise GalleryError(f"the connection to the gallery was lost: {error}") from error
