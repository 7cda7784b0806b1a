"""Page server: on the loopback interface only, below a random path.

Other users of the machine can connect to it, and pages of other sites can through the browser (DNS rebinding). So the path is
secret, and requests for another host are rejected.
"""

from __future__ import annotations

import http.server
import mimetypes
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

_TYPES: Final = {".glb": "model/gltf-binary", ".js": "text/javascript", ".ply": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Page:
    """A response: text, or the content of a file."""

    content: str | Path = ""
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def served(pages: Mapping[str, Page]) -> Iterator[str]:
    """Serve these pages by their path below the secret path. Yield the address of the page ""."""
    secret = secrets.token_urlsafe(16)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(pages, f"/{secret}/")) as server:
        thread = threading.Thread(target=server.serve_forever, name="pages", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{secret}/"
        finally:
            server.shutdown()


def files_below(folder: Path) -> dict[str, Page]:
    """Return a page for each file of a folder, by its path. Links that lead out of the folder are skipped."""
    root = folder.resolve()
    return {
        path.relative_to(folder).as_posix(): Page(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.resolve().is_relative_to(root)
    }


def _handler(pages: Mapping[str, Page], prefix: str) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # a name of the base class
            path = unquote(urlsplit(self.path).path)
            _, port = self.connection.getsockname()[:2]
            own = self.headers.get("Host") in (f"127.0.0.1:{port}", f"localhost:{port}")
            page = pages.get(path.removeprefix(prefix)) if own and path.startswith(prefix) else None
            with suppress(ConnectionError):  # the browser closed the connection
                self._answer(page or Page("Page not found.", HTTPStatus.NOT_FOUND))

        def _answer(self, page: Page) -> None:
            file = page.content if isinstance(page.content, Path) else None
            text = page.content.encode() if isinstance(page.content, str) else b""
            self.send_response(page.status)
            headers = {
                "Content-Type": _type_of(file) if file else "text/html; charset=utf-8",
                "Content-Length": str(file.stat().st_size if file else len(text)),
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",  # the path is a secret
                "X-Content-Type-Options": "nosniff",
                **page.headers,
            }
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if file is None:
                self.wfile.write(text)
            else:
                with file.open("rb") as content:
                    shutil.copyfileobj(content, self.wfile)

        def log_message(self, *_: Any) -> None:
            """Log nothing: the terminal shows the output of the command."""

    return Handler


def _type_of(file: Path) -> str:
    return _TYPES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
