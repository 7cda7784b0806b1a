"""Security headers in every response, and the log of responses that a limit ended.

The page has no inline script or style, and connects to no other host.
"""

from __future__ import annotations

import logging
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

# Hash of the style sheet that <model-viewer> creates. A new version may change it; the browser's console, which
# tests/real/gallery reads, then shows the new hash.
_VIEWER_STYLE: Final = "sha256-PXtZZkJMMyc18o/DN1ZEFOJ2qEGq95IQbVaJFMOXOb0="


def _policy(*directives: str) -> str:
    return "; ".join(directives)


PAGE_POLICY: Final = _policy(
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",  # WebAssembly only: <model-viewer>'s decoder of compressed meshes
    f"style-src 'self' '{_VIEWER_STYLE}'",
    "img-src 'self' blob: data:",
    "media-src blob:",  # a frame of a video that is uploaded
    "connect-src 'self' blob:",
    "font-src 'self'",
    "frame-src 'self'",  # reports; a script cannot lead the frame to another site
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
FILE_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""For files of a job: a model may write a page with scripts, which must never run with the gallery's origin."""
REPORT_HEADERS: Final = {
    "Content-Security-Policy": _policy(
        "sandbox allow-scripts",  # an opaque origin: no access to cookies or to the page around it
        "default-src 'none'",
        "script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "connect-src data: blob:",
        "worker-src blob:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    ),
    "X-Frame-Options": "SAMEORIGIN",
}
"""For a report in a frame of the page: its scripts run without access to the network or the page."""

_HEADERS: Final = {
    "Content-Security-Policy": PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_TRANSPORT: Final = "max-age=31536000"


class SecurityHeaders:
    """ASGI middleware: adds the headers that a response does not set itself."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._headers = {**_HEADERS, **({"Strict-Transport-Security": _TRANSPORT} if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI)."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
        except RuntimeError as error:  # of Starlette, if the response has begun: the server closes the connection
            if not isinstance(error.__cause__, HTTPException):
                raise
            _log.info("A response was ended: %s", error.__cause__.detail)
