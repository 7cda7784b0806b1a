"""History routes: users see the ended jobs of their namespaces, not those of an earlier namespace of the same name."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reconstruction_gallery.files.history import History
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web.gone.history import follow
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.kube.errors import ApiError
from starlette.applications import Starlette
from starlette.types import Message

from devcluster.waiting import wait_until
from tests.support.gallery import Server, make_gallery

UID = "uid"  # of each namespace of `Server`


def ended(namespace: str, name: str, *, phase: str = "Succeeded") -> dict[str, Any]:
    """A job that ended a minute ago, as its object."""
    return {
        "metadata": {"namespace": namespace, "name": name, "uid": name, "creationTimestamp": "2026-03-09T12:00:00Z"},
        "spec": {"modelType": "photogrammetry", "queue": "celery"},
        "status": {
            "phase": phase,
            "startTime": "2026-03-09T12:00:00Z",
            "completionTime": "2026-03-09T12:01:00Z",
            "usage": {"cpuSeconds": 50},
        },
    }


class Api(Server):
    """Namespaces that may be read, after `failures` errors."""

    failures = 0

    async def get(self, path: str) -> dict[str, Any]:
        if self.failures:
            self.failures -= 1
            raise ApiError(503, "ServiceUnavailable", "try again")
        return {"metadata": {"name": path.rpartition("/")[2], "uid": UID}}


@pytest.fixture
def api() -> Api:
    return Api({"maps"})


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path / "history", 1e10)
    history.load()
    return history


@pytest.fixture
async def jobs(api: Api, history: History) -> AsyncIterator[Jobs]:
    """A cache whose ended jobs are recorded."""
    jobs = Jobs()
    task = asyncio.create_task(follow(api, jobs, history))
    yield jobs
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def put(jobs: Jobs, body: dict[str, Any]) -> None:
    metadata = body["metadata"]
    jobs.put(JobRef(metadata["namespace"], metadata["name"], metadata["uid"]), body)


async def recorded(history: History, *uids: str) -> None:
    """Wait until the jobs are recorded."""
    await asyncio.to_thread(wait_until, lambda: all(history.has(uid) for uid in uids), f"{uids} to be recorded")


async def get(app: Starlette, path: str, query: str = "") -> tuple[int, bytes]:
    """Return the status and the body of a response."""
    headers = [(b"authorization", b"Bearer token")]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return await asyncio.Event().wait()

    await app(scope, receive, send)
    return int(sent[0]["status"]), b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture
async def app(api: Api, jobs: Jobs, history: History) -> Starlette:
    """A gallery after jobs of two namespaces ended and were deleted."""
    for body in (ended("maps", "statue"), ended("maps", "fountain", phase="Failed"), ended("others", "secret")):
        put(jobs, body)
    put(jobs, {**ended("maps", "running"), "status": {"phase": "Running"}})
    await recorded(history, "statue", "fountain", "secret")
    for uid in ("statue", "fountain", "secret"):
        jobs.delete(uid)
    application = make_gallery(api, jobs, Settings())
    application.state.gallery = dataclasses.replace(application.state.gallery, history=history)
    return application


async def test_a_user_sees_the_deleted_jobs_of_the_visible_namespaces(app: Starlette) -> None:
    _, body = await get(app, "/api/history")

    jobs = json.loads(body)["jobs"]
    assert sorted((job["name"], job["phase"], job["seconds"]) for job in jobs) == [
        ("fountain", "Failed", 60),
        ("statue", "Succeeded", 60),
    ]
    assert not {"uid", "tenant"} & jobs[0].keys()


async def test_totals_and_csv_have_the_same_jobs(app: Starlette) -> None:
    _, totals = await get(app, "/api/history/totals")
    _, table = await get(app, "/api/history.csv")

    (total,) = json.loads(totals)["totals"]
    assert (total["namespace"], total["month"], total["jobs"], total["cpu_seconds"]) == ("maps", "2026-03", 2, 100)
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert sorted(row["name"] for row in rows) == ["fountain", "statue"]
    assert rows[0]["ended"] == "2026-03-09T12:01:00Z"


@pytest.mark.parametrize(
    ("query", "names"),
    [("since=2026-03-09", 2), ("since=2026-03-10", 0), ("namespace=maps", 2), ("namespace=others", 0)],
)
async def test_jobs_are_chosen_by_time_and_namespace(app: Starlette, query: str, names: int) -> None:
    _, body = await get(app, "/api/history", query)

    assert len(json.loads(body)["jobs"]) == names


async def test_jobs_of_an_earlier_namespace_of_that_name_are_hidden(app: Starlette, history: History) -> None:
    lines = next((history._folder / "maps").iterdir())
    lines.write_text(lines.read_text().replace(f'"{UID}"', '"earlier"'))

    assert json.loads((await get(app, "/api/history"))[1]) == {"jobs": []}
    assert json.loads((await get(app, "/api/history/totals"))[1]) == {"totals": []}
    assert len((await get(app, "/api/history.csv"))[1].splitlines()) == 1


async def test_a_wrong_time_is_rejected(app: Starlette) -> None:
    assert (await get(app, "/api/history", "since=yesterday"))[0] == 400


async def test_a_gallery_without_history_says_which_setting_enables_it(api: Api) -> None:
    status, body = await get(make_gallery(api, Jobs(), Settings()), "/api/history")

    assert status == 404
    assert b"GALLERY_HISTORY_DIR" in body


async def test_jobs_are_recorded_once_the_api_server_answers(
    api: Api, jobs: Jobs, history: History, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconstruction_gallery.web.gone.history._RETRY_SECONDS", 0.01)
    api.failures = 2
    put(jobs, ended("maps", "statue"))

    await recorded(history, "statue")
    assert "cannot be written yet" in caplog.text
