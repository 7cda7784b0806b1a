"""Entry point of `reconstruction-gallery`: reads the settings from the environment and starts the server."""

from __future__ import annotations

import asyncio
import logging
import sys

import uvicorn
from reconstruction_operator import privacy
from uvicorn.protocols.http.h11_impl import H11Protocol

from reconstruction_gallery import app
from reconstruction_gallery.settings import Settings, SettingsError

_STOP_SECONDS = 5  # event streams never end on their own
_IDLE_SECONDS = 10.0
_MAX_CONNECTIONS = 3000


class Connection(H11Protocol):
    """A connection that is aborted if it has no request for some time (slow loris), or when there are too many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the class above
        """Begin to watch the connection."""
        super().connection_made(transport)
        self._check(None)
        if len(self.connections) > _MAX_CONNECTIONS:
            others = (other for other in self.connections if isinstance(other, Connection) and other is not self)
            idle = (other for other in others if not other.serves and not other.transport.is_closing())
            next(idle, self).transport.abort()

    @property
    def serves(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete and not self.transport.is_closing()

    def _check(self, last: object) -> None:
        """Abort the connection if it has had no request, and its client has read no bytes, since the last check."""
        state = self.cycle, self.transport.get_write_buffer_size()
        if self in self.connections and last == state and not self.serves:
            self.transport.abort()
        elif self in self.connections:
            self.loop.call_later(_IDLE_SECONDS, self._check, state)


def main() -> int:
    """Serve until SIGTERM. Return 2 for invalid settings."""
    privacy.hide_memory()  # from the process that decodes photos
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = Settings.read()
        application = app.make(settings)
    except SettingsError as error:
        print(f"reconstruction-gallery: {error}", file=sys.stderr)  # noqa: T201  # for the terminal
        return 2
    uvicorn.run(
        application,
        http=Connection,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # paths contain names of jobs; the API server's audit log records each user's actions
        server_header=False,
        proxy_headers=False,  # nothing here uses the client's address
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    return 0
