"""Entry point of `reconstruction-gallery`: reads the settings from the environment and starts the server."""

from __future__ import annotations

import contextlib
import logging
import sys

import uvicorn
from reconstruction_operator import privacy

from reconstruction_gallery import app
from reconstruction_gallery.settings import Settings, SettingsError
from reconstruction_gallery.web.connections import BACKLOG, Connection, most_within, raise_descriptors

_STOP_SECONDS = 5  # event streams never end on their own
_NOT_STARTED = 3  # exit status, as of uvicorn


def main() -> int:
    """Serve until SIGTERM. Return 2 for invalid settings, 3 if it could not start."""
    privacy.hide_memory()  # from the process that decodes photos
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = Settings.read()
        application = app.make(settings)
    except SettingsError as error:
        print(f"reconstruction-gallery: {error}", file=sys.stderr)  # noqa: T201  # for the terminal
        return 2
    Connection.most = most_within(raise_descriptors())
    config = uvicorn.Config(
        application,
        http=Connection,
        ws="none",  # a WebSocket would leave `Connection`
        backlog=BACKLOG,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,  # paths contain names of jobs; the API server's audit log records each user's actions
        server_header=False,
        proxy_headers=False,  # nothing here uses the client's address
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    with contextlib.closing(config.bind_socket()) as listener, contextlib.suppress(KeyboardInterrupt):
        listener.listen(BACKLOG)  # before the probes say that the gallery is ready
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
        return 0 if server.started else _NOT_STARTED
    return 0
