"""Watch: the cache follows the jobs of all namespaces beside errors and unreadable objects."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping

import pytest
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.kube.watching import watch
from reconstruction_operator.kube import reflector

from tests.support.jobs import make_body


class Api:
    """Has one job in each namespace, of which `bad` cannot be summarized; each first list fails, and each watch brings the job `late`."""

    def __init__(self) -> None:
        self.failed: set[str] = set()

    async def read(self, path: str, _query: Mapping[str, str], _max_bytes: int) -> bytes:
        if path not in self.failed:
            self.failed.add(path)
            raise RuntimeError("a defect")
        bad = make_body("bad") | {"status": "text"}
        return json.dumps(
            {"metadata": {"resourceVersion": "5"}, "items": [bad, make_body(path.split("/")[5])]}
        ).encode()

    async def chunks(self, _path: str, _query: Mapping[str, str], _seconds: float) -> AsyncGenerator[bytes, None]:
        yield json.dumps({"type": "ADDED", "object": make_body("late")}).encode() + b"\n"
        await asyncio.Event().wait()


async def test_jobs_are_followed_after_an_error_and_beside_one_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reflector, "_FIRST_PAUSE_SECONDS", 0.0)
    jobs = Jobs()
    task = asyncio.create_task(watch(Api(), jobs, ["red", "blue"]))
    while not (jobs.synced and jobs.get("default", "late")):
        assert await jobs.changed(jobs.revision, 10)
    task.cancel()

    assert {job.key.name for job in jobs.since(0)} == {"red", "blue", "late"}
    assert "a defect" in caplog.text
    assert "default/bad cannot be read and is skipped (1 so far)" in caplog.text
