"""Failures with their reasons, deadlines, and the time to live."""

import redis
from reconstruction_operator.api.identity import MAX_ATTEMPT

from devcluster.harness.jobs import Jobs, Seen, condition, is_true
from devcluster.harness.system import GROUP
from tests.support.controller.dispatch import leave, serve


def test_a_failure_names_its_reason_and_the_input(jobs: Jobs) -> None:
    name = jobs.create(modelType="photogrammetry", input={"uri": "file:///nowhere/at/all"})

    job = jobs.wait_finished(name)

    failure = job["status"]["failure"]
    assert job["status"]["phase"] == "Failed"
    assert failure["reason"] in {"INPUT_REFUSED", "INPUT_NOT_FOUND"}
    assert "/nowhere/at/all" in failure["message"]
    assert condition(job, "Failed")["reason"] in {"InputRefused", "InputNotFound"}
    assert (is_true(job, "Stalled"), is_true(job, "Complete"), is_true(job, "Cancelled")) == (True, False, False)
    assert jobs.wait_event(name, "Failed")[0] == "Warning"


def test_a_retriable_failure_is_retried_up_to_the_backoff_limit(jobs: Jobs, seen: Seen) -> None:
    name = jobs.create(modelType="rough-segfault", queue="rough", backoffLimit=2)

    job = jobs.wait_finished(name)

    status = job["status"]
    assert (status["phase"], status["attempt"], status["failures"]) == ("Failed", 3, 3)
    assert status["failure"]["reason"] == "BACKEND_CRASHED"
    waits = [
        version["status"]["nextAttemptTime"]
        for version in seen.of(name)
        if "nextAttemptTime" in version.get("status", {})
    ]
    assert len(set(waits)) == 2, f"two pauses were expected: {waits}"
    seen.assert_never_backwards(name)
    assert [reason for _, reason, _ in jobs.events(name)].count("AttemptFailed") == 2
    assert not jobs.folder(name).exists() or not list((jobs.folder(name) / "attempts").glob("*"))


def test_a_job_past_its_active_deadline_is_stopped_and_failed(jobs: Jobs) -> None:
    name = jobs.create(queue="slow", activeDeadlineSeconds=3)

    job = jobs.wait_finished(name)

    assert job["status"]["failure"]["reason"] == "TIMEOUT"
    assert "activeDeadlineSeconds" in job["status"]["failure"]["message"]
    assert not (jobs.folder(name) / "output").exists()


def test_a_job_past_its_queue_deadline_fails_without_a_start(jobs: Jobs) -> None:
    job = jobs.wait_finished(jobs.create(queue="unserved", queueDeadlineSeconds=2))

    assert job["status"]["failure"]["reason"] == "QUEUE_TIMEOUT"
    assert "startTime" not in job["status"]


def test_a_job_with_the_last_attempt_by_hand_fails_and_can_be_deleted(jobs: Jobs) -> None:
    name = jobs.create(suspend=True)
    jobs.wait_phase(name, "Suspended")
    path = f"{GROUP}/namespaces/{jobs.namespace}/reconstructionjobs/{name}/status"
    jobs.system.cluster.api.patch(path, {"status": {"attempt": MAX_ATTEMPT, "phase": "Queued"}})

    failure = jobs.wait_finished(name)["status"]["failure"]

    assert failure["reason"] == "INVALID_STATUS"
    assert failure["message"].startswith(f"status.attempt is {MAX_ATTEMPT}, and no attempt can follow")
    jobs.delete(name)
    jobs.wait_gone(name)


def test_a_job_for_a_queue_without_a_worker_waits_until_there_is_one(jobs: Jobs, state: redis.Redis) -> None:
    jobs.wait_phase(jobs.create(), "Succeeded")  # the operator has read its queues: until then each counts as served
    name = jobs.create(queue="unserved")

    job = jobs.wait(name, "unserved", lambda job: condition(job, "Dispatched").get("reason") == "QueueUnserved")
    assert job["status"]["phase"] == "Pending"
    assert "unserved" in condition(job, "Dispatched")["message"]
    assert not state.exists(f"job:{job['metadata']['uid']}")
    jobs.wait_event(name, "NoWorker")

    serve(state, "unserved", node="late@test")
    jobs.wait_phase(name, "Queued")
    leave(state, node="late@test")
    job = jobs.wait(name, "without a worker", lambda job: condition(job, "Dispatched").get("reason") == "NoWorker")
    assert job["status"]["phase"] == "Queued"
    assert "unserved" in job["status"]["message"]


def test_the_ttl_deletes_the_files_and_then_the_object(jobs: Jobs) -> None:
    name = jobs.create(ttlSecondsAfterFinished=1)
    folder = jobs.folder(name)

    jobs.wait_gone(name)

    assert not folder.exists()
