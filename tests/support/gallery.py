"""The gallery: its application in this process, with an API server that accepts every token; its environment."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from reconstruction_gallery import app
from reconstruction_gallery.files.results import Results
from reconstruction_gallery.files.uploads import Uploads
from reconstruction_gallery.kube.health import Health
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.kube.rights import Rights
from reconstruction_gallery.kube.users import Tokens
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web.identity import Identities
from reconstruction_gallery.web.links import Sharing
from reconstruction_gallery.web.parts import Gallery
from reconstruction_gallery.web.sessions import Sessions
from reconstruction_operator.kube import client
from starlette.applications import Starlette

from tests.support.plugin import write_kubeconfig


def environment(folder: Path, port: int, probe_port: int) -> dict[str, str]:
    """Return the environment of a gallery on these ports of the loopback address, without an API server."""
    return os.environ | {
        "KUBECONFIG": str(write_kubeconfig(folder)),
        "JOBS_DIR": str(folder),
        "GALLERY_HOST": "127.0.0.1",
        "GALLERY_PORT": str(port),
        "GALLERY_PROBE_PORT": str(probe_port),
    }


class Server:
    """Allows some namespaces, and has one pod with this log."""

    def __init__(self, allowed: Collection[str]) -> None:
        self.allowed = set(allowed)
        self.log = b""

    async def request(self, _method: str, path: str, *, body: Any = None, **_: Any) -> dict[str, Any]:
        assert client.encoded(body)
        allowed = (
            path.endswith("reviews") and body["spec"].get("resourceAttributes", {}).get("namespace") in self.allowed
        )
        status = {"authenticated": True, "user": {"username": "anna"}, "allowed": allowed}
        pod = {"metadata": {"name": "pod", "uid": "uid"}, "spec": {"containers": [{"name": "worker"}]}}
        return {"status": status, "items": [pod], **pod}

    async def chunks(self, *_: Any) -> AsyncIterator[bytes]:
        yield self.log


def make_gallery(server: Any, jobs: Jobs, settings: Settings, uploads: Uploads | None = None) -> Starlette:
    """Return the application without its background tasks."""
    application = app.make(settings)
    rights = Rights(server, keep_seconds := 0.01)
    identities = Identities(settings, Tokens(server, keep_seconds, "gallery"), Sessions(60))
    application.state.gallery = Gallery(
        settings, server, jobs, rights, identities, Results(1), Health("system"), Sharing(settings), uploads
    )
    return application
