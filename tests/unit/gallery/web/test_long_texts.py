"""Long JSON responses: they are sent in pieces, and a client that reads nothing holds few of them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Self

import pytest
from reconstruction_gallery.files.opened import CHUNK_BYTES
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web.limits import Downloads, RequestLimit
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.contract.info import InstallationInfo
from reconstruction_operator.contract.installation import Installation
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.jobfiles import layout
from reconstruction_operator.jobfiles import manifest as manifests
from starlette.applications import Starlette

from tests.support.gallery import Server, make_gallery
from tests.support.refs import make_attempt
from tests.support.settings import configure

URI = "file:///photos/" + "x" * 20_000
JOB = {
    "metadata": {"namespace": "a", "name": "one", "uid": "one", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"modelType": "m" * 200_000},
    "status": {"phase": "Running"},
}
LONG = ["/api/trash", "/api/installation", "/api/namespaces/a/jobs/one", "/api/namespaces/a/jobs/one/log"]


@pytest.fixture
def app(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    """A gallery with the log and the deleted jobs of a namespace, which serves one long text at a time."""
    configure(monkeypatch, JOBS_DIR=str(jobs_dir), NAMESPACE_IDENTITY="name")
    server = Server({"a"})
    jobs = Jobs()
    jobs.put(JobRef("a", "one", "one"), JOB)
    for number in range(20):
        retain("a", number)
    application = make_gallery(server, jobs, Settings())
    gallery, one = application.state.gallery, RequestLimit(1, 1, wait_seconds=0.01)
    application.state.gallery = dataclasses.replace(gallery, downloads=Downloads(one, one, one), logs=one)
    gallery.health.installations = (Installation(InstallationInfo(version="x" * 60_000)),) * 4
    return application


def retain(namespace: str, number: int) -> None:
    """Put a result into the trash; those with higher numbers expire later."""
    job_id = f"{namespace}-{number}"
    folder = layout.trash_shard(namespace, job_id) / f"{job_id}~{2_000_000_000 + number}~4096"
    folder.mkdir(parents=True)
    attempt = make_attempt(job_id, namespace=namespace, name=f"name-{number}")
    manifests.seal(folder, Manifest(attempt, model="rough", input_uri=URI))


class Request:
    """A GET request. Its client reads at most so many pieces of the response, and then waits."""

    def __init__(self, app: Starlette, path: str, most: int = 1 << 30) -> None:
        self._app = app
        self._path = path
        self._most = most
        self.unread = asyncio.Event()
        self.status = 0
        self.pieces: list[bytes] = []

    async def run(self) -> Self:
        """Send it, and receive the response."""
        headers = [(b"authorization", b"Bearer token")]
        scope = {"type": "http", "method": "GET", "path": self._path, "query_string": b"", "headers": headers}
        await self._app(scope, self._connected, self._send)
        return self

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.status = message.get("status", self.status)
        self.pieces.append(message.get("body", b""))
        if len(self.pieces) > self._most:
            self.unread.set()
            await asyncio.Event().wait()

    async def _connected(self) -> Any:
        return await asyncio.Event().wait()

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs in the response."""
        return [job["metadata"]["name"] for job in json.loads(b"".join(self.pieces))["jobs"]]


async def test_the_trash_is_sent_in_pieces_sorted_by_expiry(app: Starlette) -> None:
    response = await Request(app, "/api/trash").run()

    assert response.status == 200
    assert max(map(len, response.pieces)) < 2 * len(URI)
    assert response.jobs == [f"name-{number}" for number in range(20)]


@pytest.mark.parametrize("path", LONG)
async def test_a_long_text_that_is_not_read_keeps_its_place(app: Starlette, path: str) -> None:
    first = Request(app, path, most=2)
    running = asyncio.create_task(first.run())
    async with asyncio.timeout(30):
        await first.unread.wait()
    second = await Request(app, path).run()
    running.cancel()

    assert (first.status, second.status) == (200, 429)
    assert max(map(len, first.pieces)) <= CHUNK_BYTES


async def test_users_with_different_rights_share_the_list_of_a_namespace(
    app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    retain("b", 0)
    listed: list[str] = []
    list_names = os.listdir

    def listdir(path: Path) -> list[str]:
        listed.append(str(path))
        return list_names(path)

    monkeypatch.setattr(os, "listdir", listdir)
    await Request(app, "/api/trash").run()
    app.state.gallery.api.allowed = {"a", "b"}
    await asyncio.sleep(0.05)  # the reviews expire
    response = await Request(app, "/api/trash").run()

    assert len(response.jobs) == 21
    assert sum(path.endswith("/.trash/a") for path in listed) == 1
