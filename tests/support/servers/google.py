"""Google buckets on an emulator, and uploads of the XML API, which the emulator lacks.

The workers' client uses Google's XML API. fake-gcs-server supports its reads, lists and deletions, but uploads only by
the JSON API. So a proxy in front of it converts each upload of the XML API to one of the JSON API, with its condition.
The emulator decides what is stored, listed and refused.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from devcluster.servers.running import answering
from devcluster.servers.storage.emulators import FakeGcs

_HOST: Final = "127.0.0.1"
_OK: Final = 200
_NO_CONTENT: Final = 204
_CONDITION: Final = "x-goog-if-generation-match"
_HOP: Final = ("connection", "host", "transfer-encoding")


@dataclass(frozen=True)
class GoogleBucket:
    """A bucket, accessed by the JSON API."""

    proxy: XmlUploads
    name: str

    @classmethod
    def new(cls, proxy: XmlUploads, name: str) -> GoogleBucket:
        """Make a bucket."""
        _ask(proxy.upstream, "POST", "/storage/v1/b", json.dumps({"name": name}).encode())
        return cls(proxy, name)

    @property
    def address(self) -> str:
        return f"gs://{self.name}"

    def put(self, key: str, content: bytes) -> None:
        _upload(self.proxy.upstream, self.name, key, content)

    def get(self, key: str) -> bytes:
        return _ask(self.proxy.upstream, "GET", f"/storage/v1/b/{self.name}/o/{quote(key, safe='')}?alt=media")

    def delete(self, key: str) -> None:
        _ask(self.proxy.upstream, "DELETE", f"/storage/v1/b/{self.name}/o/{quote(key, safe='')}")

    @property
    def keys(self) -> list[str]:
        listing = json.loads(_ask(self.proxy.upstream, "GET", f"/storage/v1/b/{self.name}/o"))
        return sorted(item["name"] for item in listing.get("items", []))

    @property
    def unfinished_uploads(self) -> list[str]:
        return list(self.proxy.parts)


class XmlUploads(ThreadingHTTPServer):
    """The proxy. It keeps the parts of an upload until the upload is completed or aborted."""

    daemon_threads = True

    def __init__(self, server: FakeGcs) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.upstream = server.port
        self.parts: dict[str, dict[int, bytes]] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a killed client is not a failure
            super().handle_error(request, client_address)


@contextlib.contextmanager
def running_xml_uploads(server: FakeGcs) -> Iterator[XmlUploads]:
    """Run a proxy in front of the emulator."""
    proxy = XmlUploads(server)
    with answering(proxy):
        yield proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: XmlUploads

    def do_GET(self) -> None:
        self._forward()

    def do_HEAD(self) -> None:
        self._forward()

    def do_PUT(self) -> None:
        bucket, key, query = self._place()
        body = self._body()
        if "uploadId" not in query:
            self._upload(bucket, key, body)
            return
        self.server.parts[query["uploadId"]][int(query["partNumber"])] = body
        self._answer(_OK, {"ETag": f'"part-{query["partNumber"]}"'})

    def do_POST(self) -> None:
        bucket, key, query = self._place()
        body = self._body()
        if "uploads" in query:
            upload = secrets.token_hex(8)
            self.server.parts[upload] = {}
            names = f"<Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>"
            result = f"<InitiateMultipartUploadResult>{names}</InitiateMultipartUploadResult>"
            self._answer(_OK, body=result.encode())
            return
        wanted = ET.fromstring(body)  # noqa: S314  # from the client under test
        parts = self.server.parts.pop(query["uploadId"])
        numbers = [int(element.text or "") for element in wanted.iter() if element.tag.endswith("PartNumber")]
        self._upload(bucket, key, b"".join(parts[number] for number in numbers), is_completion=True)

    def do_DELETE(self) -> None:
        *_, query = self._place()
        if "uploadId" not in query:
            self._forward()
            return
        self.server.parts.pop(query["uploadId"], None)
        self._answer(_NO_CONTENT)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def _upload(self, bucket: str, key: str, content: bytes, *, is_completion: bool = False) -> None:
        condition = self.headers.get(_CONDITION)
        kind = self.headers.get("Content-Type", "")
        try:
            stored = _upload(self.server.upstream, bucket, key, content, kind=kind, condition=condition)
        except _AnswerError as error:
            self._answer(error.status, body=b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        etag = f'"{stored["etag"].strip(chr(34))}"'
        result = f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
        headers = {"ETag": etag, "x-goog-generation": str(stored["generation"])}
        self._answer(_OK, headers, result.encode() if is_completion else b"")

    def _forward(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(_HOST, self.server.upstream)) as connection:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, self.path, self._body() or None, headers)
            response = connection.getresponse()
            answered = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
            self._answer(response.status, answered, response.read())

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        sent = headers or {}
        if "content-length" not in {name.lower() for name in sent}:
            sent = {**sent, "Content-Length": str(len(body))}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _place(self) -> tuple[str, str, dict[str, str]]:
        parts = urlsplit(self.path)
        _, bucket, key = unquote(parts.path).split("/", 2)
        query = parse_qs(parts.query, keep_blank_values=True)
        return bucket, key, {name: values[0] for name, values in query.items()}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


class _AnswerError(AssertionError):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


def _upload(
    port: int, bucket: str, key: str, content: bytes, *, kind: str = "image/jpeg", condition: str | None = None
) -> dict[str, Any]:
    query = {"uploadType": "media", "name": key} | ({} if condition is None else {"ifGenerationMatch": condition})
    path = f"/upload/storage/v1/b/{bucket}/o?{urlencode(query)}"
    stored: dict[str, Any] = json.loads(_ask(port, "POST", path, content, kind))
    return stored


def _ask(port: int, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    with contextlib.closing(http.client.HTTPConnection(_HOST, port)) as connection:
        connection.request(method, path, body, {"Content-Type": kind})
        response = connection.getresponse()
        content = response.read()
    if response.status >= http.client.BAD_REQUEST:
        raise _AnswerError(response.status, f"{method} {path}: {content!r:.300}")
    return content
