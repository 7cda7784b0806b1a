"""Streams of changes: what each listener is sent, and the memory that a listener holds that reads nothing."""

import json
import tracemalloc
from collections.abc import AsyncGenerator

import pytest
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web.jobs import changes
from reconstruction_operator.api.identity import JobRef
from starlette.requests import Request

from tests.support.gallery import Server, make_gallery


@pytest.fixture
def server() -> Server:
    return Server({"a", "b"})


@pytest.fixture
def jobs() -> Jobs:
    jobs = Jobs()
    jobs.synced = True
    return jobs


@pytest.fixture
def request_(server: Server, jobs: Jobs) -> Request:
    return Request(
        {
            "type": "http",
            "app": make_gallery(server, jobs, Settings()),
            "headers": [(b"authorization", b"Bearer token")],
        }
    )


def put(jobs: Jobs, name: str, namespace: str = "a") -> None:
    metadata = {"namespace": namespace, "name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    jobs.put(JobRef(namespace, name, name), {"metadata": metadata, "status": {"phase": "Running"}})


async def sent(stream: AsyncGenerator[bytes, None]) -> list[str]:
    """Return the jobs of the next events up to `synced`; a removed one has a minus sign."""
    names: list[str] = []
    async for event in stream:
        kind, _, data = event.decode().strip().removeprefix("event: ").partition("\ndata: ")
        if kind == "synced":
            return sorted(names)
        names += (
            [f"-{uid}" for uid in json.loads(data)] if kind == "removed" else [row["name"] for row in json.loads(data)]
        )
    raise AssertionError(names)


async def test_a_listener_gets_changes_deletions_and_lost_jobs_once(
    server: Server, jobs: Jobs, request_: Request
) -> None:
    put(jobs, "one")
    put(jobs, "two", "b")
    put(jobs, "hidden", "c")
    stream = changes(request_)
    assert await sent(stream) == ["one", "two"]

    put(jobs, "three")
    jobs.delete("two")
    jobs.delete("hidden")
    assert await sent(stream) == ["-two", "three"]

    put(jobs, "four", "b")  # the namespace has jobs again
    assert await sent(stream) == ["four"]

    server.allowed = {"b"}
    put(jobs, "five", "b")
    assert await sent(stream) == ["-one", "-three", "five"]


async def test_a_listener_gets_every_job_of_a_long_list_once_although_jobs_change(
    jobs: Jobs, request_: Request
) -> None:
    for number in range(350):
        put(jobs, f"job-{number:03}")
    stream = changes(request_)
    first = json.loads((await anext(stream)).decode().partition("data: ")[2])

    jobs.delete("job-000")
    put(jobs, "new")

    rest = await sent(stream)
    assert sorted([row["name"] for row in first] + rest) == [f"job-{number:03}" for number in range(1, 350)]
    assert await sent(stream) == ["-job-000", "new"]


async def test_a_listener_that_reads_nothing_holds_little_memory(jobs: Jobs, request_: Request) -> None:
    for number in range(3000):
        put(jobs, f"job-{number}")
    listeners = [changes(request_) for _ in range(21)]
    held = [await anext(listeners[0])]

    tracemalloc.start()
    try:
        held += [await anext(listener) for listener in listeners[1:]]
        assert tracemalloc.get_traced_memory()[0] / len(held) < 100_000
    finally:
        tracemalloc.stop()
