"""Job cache: revisions, names, namespaces, and the JSON for the page."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from reconstruction_gallery.kube.jobs import Jobs, summary, watch, writers
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.kube.errors import ApiError

from tests.support.jobs import make_body


def body(name: str, uid: str = "", namespace: str = "team", **status: Any) -> dict[str, Any]:
    metadata = {
        "namespace": namespace,
        "name": name,
        "uid": uid or f"uid-{name}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return {"metadata": metadata, "spec": {"input": {"uri": f"file:///photos/{name}"}}, "status": status}


def put(jobs: Jobs, name: str, uid: str = "", namespace: str = "team", **status: Any) -> None:
    jobs.put(JobRef(namespace, name, uid or f"uid-{name}"), body(name, uid, namespace, **status))


def test_a_listener_gets_only_jobs_that_changed_after_its_revision() -> None:
    jobs = Jobs()
    put(jobs, "a")
    put(jobs, "b")
    revision = jobs.revision

    put(jobs, "a", phase="Running")
    put(jobs, "b")  # unchanged, as in a new list

    assert [job.key.name for job in jobs.since(revision)] == ["a"]
    assert [job.key.name for job in jobs.since(0)] == ["a", "b"]


def test_a_deleted_job_is_removed_with_its_name_and_namespace() -> None:
    jobs = Jobs()
    put(jobs, "a")
    put(jobs, "b", namespace="other")

    jobs.delete("uid-a")
    jobs.delete("uid-never-there")

    assert jobs.get("team", "a") is None
    assert (list(jobs.namespaces), [job.key.name for job in jobs.since(0)]) == (["other"], ["b"])
    assert jobs.deleted(2) == [JobRef("team", "a", "uid-a")]
    assert jobs.input_uris == {"file:///photos/b"}


def test_a_recreated_job_replaces_the_deleted_one() -> None:
    jobs = Jobs()
    put(jobs, "a", "first")

    put(jobs, "a", "second")
    jobs.delete("first")  # a late event

    job = jobs.get("team", "a")
    assert job is not None
    assert [job.key.uid, *(other.key.uid for other in jobs.since(0))] == ["second", "second"]
    assert jobs.deleted(1) == [JobRef("team", "a", "first")]


def test_a_listener_that_missed_too_many_deletions_starts_again() -> None:
    jobs = Jobs()
    put(jobs, "a")
    for number in range(10_001):
        put(jobs, f"deleted-{number}")
        jobs.delete(f"uid-deleted-{number}")

    assert jobs.deleted(1) is None
    assert jobs.deleted(jobs.revision) == []


async def test_a_listener_wakes_up_at_a_change_and_times_out_without_one() -> None:
    jobs = Jobs()
    waiting = asyncio.create_task(jobs.changed(0, 60))
    await asyncio.sleep(0)

    put(jobs, "a")

    assert await waiting
    assert not await jobs.changed(jobs.revision, 0.01)


def test_the_row_of_a_job_has_the_fields_that_the_list_shows() -> None:
    status = {
        "phase": "Failed",
        "progress": {"percent": 40, "display": "40.3%", "step": "Running reconstruction"},
        "verdict": "Failed",
        "message": "Failed: NOT_ENOUGH_OVERLAP: 3 of 40 photos overlap",
        "outputs": {"files": [{"name": "model.glb"}, {"name": "previews/front.png"}]},
    }

    row = summary(body("a") | {"status": status})

    fields = {
        name: row[name] for name in ("state", "verdict", "percent", "done", "sentence", "preview", "cancelRequested")
    }
    assert fields == {
        "state": "Failed",
        "verdict": "Failed",
        "percent": 40,
        "done": "40.3%",
        "sentence": "NOT_ENOUGH_OVERLAP: 3 of 40 photos overlap",
        "preview": "previews/front.png",
        "cancelRequested": False,
    }


@pytest.mark.parametrize(
    ("uri", "status", "place"),
    [
        pytest.param("file:///photos/a", {}, "folder", id="a-folder"),
        pytest.param("s3://photos/a/", {}, "", id="not-loaded-yet"),
        pytest.param("s3://photos/a/", {"inputs": {"images": 3}}, "run", id="loaded"),
        pytest.param("s3://photos/a/", {"inputs": {"images": 3}, "completionTime": "T"}, "", id="ended"),
    ],
)
def test_a_row_says_where_a_photo_may_be_found(uri: str, status: dict[str, Any], place: str) -> None:
    assert summary(body("a") | {"spec": {"input": {"uri": uri}}, "status": status})["photos"] == place


def test_a_job_without_a_status_is_pending_and_a_waiting_job_has_its_reason() -> None:
    assert summary({"metadata": body("a")["metadata"]})["phase"] == "Pending"
    assert summary(body("a", phase="Pending", reason="no worker"))["sentence"] == "no worker"


def test_writers_has_the_newest_client_of_each_field() -> None:
    def entry(client: str, time: str, *fields: str) -> dict[str, Any]:
        return {"manager": client, "time": time, "fieldsV1": {"f:spec": {f"f:{field}": {} for field in fields}}}

    newest = writers(
        [
            entry("kubectl-patch", "2026-01-01T00:00:02Z", "cancelRequested"),
            entry("kubectl", "2026-01-01T00:00:01Z", "cancelRequested", "suspend", "input"),
            {"manager": "operator", "time": "2026-01-01T00:00:03Z", "fieldsV1": {"f:status": {}}},
        ]
    )

    assert {name: entry["client"] for name, entry in newest.items()} == {
        "cancelRequested": "kubectl-patch",
        "suspend": "kubectl",
    }


def test_labels_and_annotations_are_not_kept() -> None:
    jobs = Jobs()
    large = body("a")
    large["metadata"] |= {
        kind: {f"{kind}-{number}": "x" * 50 for number in range(9_000)} for kind in ("labels", "annotations")
    }

    jobs.put(JobRef("team", "a", "uid-a"), large)

    (job,) = jobs.since(0)
    assert len(job.summary + job.detail) < 2_000


@pytest.mark.parametrize("fields", [None, [], "text", {"f:spec": None}, {"f:spec": ["f:suspend"]}])
def test_managed_fields_of_any_form_name_no_writer(fields: object) -> None:
    assert writers([{"manager": "x", "fieldsV1": fields}]) == {}


class Api:
    """Has one job in each namespace, of which `bad` cannot be summarized; each first list fails, and each watch brings
    the job `late`.
    """

    def __init__(self) -> None:
        self.failed: set[str] = set()
        self.deleted = asyncio.Event()  # the CRD

    async def read(self, path: str, _query: Mapping[str, str], _max_bytes: int) -> bytes:
        if self.deleted.is_set():
            raise ApiError(404, "NotFound", "page not found")
        if path not in self.failed:
            self.failed.add(path)
            raise RuntimeError("a defect")
        bad = make_body("bad") | {"status": "text"}
        return json.dumps(
            {"metadata": {"resourceVersion": "5"}, "items": [bad, make_body(path.split("/")[5])]}
        ).encode()

    async def chunks(self, _path: str, _query: Mapping[str, str], _seconds: float) -> AsyncGenerator[bytes, None]:
        yield json.dumps({"type": "ADDED", "object": make_body("late")}).encode() + b"\n"
        await self.deleted.wait()
        raise ApiError(404, "NotFound", "page not found")


async def test_jobs_are_followed_after_an_error_and_beside_one_that_cannot_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = Api()
    jobs = Jobs()
    task = asyncio.create_task(watch(api, jobs, ["red", "blue"], first_pause_seconds=0.0))
    while not (jobs.synced and jobs.get("default", "late")):
        assert await jobs.changed(jobs.revision, 10)
    api.deleted.set()
    async with asyncio.timeout(10):
        while jobs.synced:
            await jobs.changed(jobs.revision, 0)
    task.cancel()

    assert {job.key.name for job in jobs.since(0)} == {"red", "blue", "late"}
    assert "a defect" in caplog.text
    assert "default/bad cannot be read and is skipped (1 so far)" in caplog.text
