"""`kubectl recon why`: each situation on a real API server, with a status as the operator writes it.

`test_why_live.py` has the situations that a running system creates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubectl_recon.commands import explaining
from kubectl_recon.diagnosis import rules
from kubectl_recon.diagnosis.facts import Answer
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import Connection, connect
from reconstruction_operator.kube.paths import job as job_path
from reconstruction_operator.planning import places

import devcluster
from devcluster.harness.manifests import manifest
from devcluster.harness.system import GROUP, LEASE, REPOSITORY
from devcluster.waiting import wait_until
from tests.support.plugin import Program


def ago(**since: int) -> str:
    return (datetime.now(UTC) - timedelta(**since)).strftime("%Y-%m-%dT%H:%M:%SZ")


def conditions(**wanted: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": ago(minutes=5)}
        for kind, (status, reason) in wanted.items()
    ]


def failure(reason: str, **more: Any) -> dict[str, Any]:
    text = f"{reason}, with numbers."
    return {"phase": "Failed", "attempt": 1, "failure": {"reason": reason, "message": text, "retriable": False}} | more


CANCELLED = {"cancelRequested": True, "cancelConfirmed": True}
UNSERVED = conditions(Dispatched=("False", "QueueUnserved"))
RUNNING: dict[str, Any] = {
    "phase": "Running",
    "attempt": 1,
    "worker": "gpu@one",
    "progress": {"percent": 30, "step": "Running reconstruction", "etaSeconds": 300},
    "conditions": conditions(Running=("True", "Started")),
}

# Situation, spec, status, and words of the answer or its actions.
TABLE = [
    ("managed-by-another", {"managedBy": "example.com/other"}, {}, "example.com/other"),
    ("just-created", {}, {}, "has not seen it yet"),
    (
        "contested",
        {},
        {"phase": "Queued", "conditions": conditions(Contested=("True", "ManagedElsewhere"))},
        "Two inst",
    ),
    ("operator-behind", {}, {"phase": "Queued", "observedGeneration": 0}, "has not handled"),
    ("suspended", {"suspend": True}, {"phase": "Suspended"}, "kubectl recon resume banana"),
    ("suspending", {"suspend": True}, {"phase": "Running"}, "being suspended"),
    ("queue-unserved", {"queue": "gpu-larg"}, {"phase": "Pending", "conditions": UNSERVED}, "gpu-larg"),
    (
        "model-unserved",
        {"modelType": "splats"},
        {"phase": "Pending", "conditions": conditions(Dispatched=("False", "ModelUnserved"))},
        "has the model splats",
    ),
    (
        "queue-abandoned",
        {"queue": "gpu"},
        {"phase": "Queued", "dispatchTime": ago(minutes=9), "conditions": conditions(Dispatched=("True", "NoWorker"))},
        "no live worker consumes that queue now",
    ),
    (
        "redis-nearly-full",
        {},
        {"phase": "Pending", "message": places.place("celery", 1, paused=True).text},
        "DISPATCH_MEMORY_SHARE",
    ),
    ("namespace-quota", {}, {"phase": "Pending", "message": places.held("team").text}, "NAMESPACE_MAX_RUNNING"),
    (
        "quarantined",
        {},
        {
            "phase": "Pending",
            "message": "Waiting for its turn in queue celery: jobs that lost the same worker are tried one at a time",
        },
        "one at a time",
    ),
    (
        "backing-off",
        {},
        {
            "phase": "Pending",
            "attempt": 2,
            "failures": 1,
            "nextAttemptTime": "2030-01-01T12:34:56Z",
            "failure": {"reason": "OUT_OF_MEMORY", "message": "the model needed 9 GB"},
            "conditions": conditions(Dispatched=("False", "BackingOff")),
        },
        "Attempt 1 failed with OUT_OF_MEMORY; attempt 2 starts at 12:34:56 UTC",
    ),
    (
        "redis-forgets",
        {},
        {
            "phase": "Pending",
            "attempt": 4,
            "redisLosses": 3,
            "nextAttemptTime": "2030-01-01T12:34:56Z",
            "conditions": conditions(Dispatched=("False", "BackingOff")),
        },
        "Redis lost its last 3 attempts",
    ),
    (
        "redis-lost",
        {},
        {"phase": "Queued", "attempt": 2, "conditions": conditions(Running=("False", "RedisLost"))},
        "no failure is counted",
    ),
    (
        "worker-drained",
        {},
        {"phase": "Pending", "attempt": 2, "conditions": conditions(Running=("False", "Drained"))},
        "worker was shut down",
    ),
    ("in-line", {}, {"phase": "Pending", "message": places.place("celery", 17).text}, "place 20 or better"),
    ("queued", {}, {"phase": "Queued", "dispatchTime": ago(minutes=3)}, "every worker of that queue is busy"),
    ("pending", {}, {"phase": "Pending", "message": "Waiting for room in queue celery"}, "waits to be sent"),
    ("running", {}, RUNNING, "about 5m left"),
    (
        "redis-lost-data",
        {},
        RUNNING | {"conditions": conditions(Running=("Unknown", "AwaitingWorker"))},
        "may register the job again",
    ),
    ("stopping", {}, RUNNING | {"conditions": conditions(Running=("True", "Stopping"))}, "is being stopped"),
    (
        "silent",
        {},
        RUNNING | {"progress": RUNNING["progress"] | {"lastUpdateTime": ago(minutes=25)}},
        "has reported nothing for ",  # the rows are created at collection
    ),
    (
        "deadline-near",
        {"activeDeadlineSeconds": 600},
        RUNNING | {"startTime": ago(minutes=8)},
        '{"spec":{"activeDeadlineSeconds":1200}}',
    ),
    ("cancel-announced", {"cancelRequested": True}, RUNNING, "kubectl recon cancel banana --confirm"),
    (
        "running-again",
        {},
        RUNNING | {"attempt": 3, "failures": 2, "failure": {"reason": "WORKER_LOST", "message": "it was lost"}},
        "attempt 3: 2 earlier ones failed, the last with WORKER_LOST",
    ),
    ("cancel-not-seen", CANCELLED, RUNNING, "has not handled it yet"),
    (
        "cancelling",
        CANCELLED,
        {"phase": "Cancelling", "message": "Cancelling: waiting for worker gpu@one to stop"},
        "being stopped",
    ),
    (
        "cancel-slow",
        CANCELLED,
        {"phase": "Cancelling", "worker": "gpu@one", "conditions": conditions(CancelRequested=("True", "Confirmed"))},
        "worker gpu@one has not stopped",
    ),
    ("cancelled", CANCELLED, {"phase": "Cancelled"}, "kubectl recon retry banana"),
    (
        "succeeded",
        {"ttlSecondsAfterFinished": 3600},
        {"phase": "Succeeded", "completionTime": ago(minutes=1), "outputs": {"uri": "s3://meshes/banana/1/"}},
        "s3://meshes/banana/1/",
    ),
    ("simulated", {}, {"phase": "Succeeded", "simulated": True}, "a simulation"),
    ("poor-result", {}, {"phase": "Succeeded", "warning": "only 5 of 9 photos were aligned"}, "only 5 of 9 photos"),
    ("photos-insufficient", {}, failure("NOT_ENOUGH_OVERLAP"), "take more photos"),
    ("photos-from-one-place", {}, failure("NO_PARALLAX"), "walk around the object"),
    ("photos-unreadable", {}, failure("CORRUPT_IMAGE"), "export the photos in the message again"),
    ("input-address", {}, failure("INPUT_NOT_FOUND"), "--upload"),
    ("input-unreachable", {}, failure("INPUT_UNREACHABLE"), "check that server"),
    (
        "output-refused",
        {},
        failure("OUTPUT_REFUSED", outputs={"uri": "file:///jobs/x"}),
        "the result exists, at file:///jobs/x",
    ),
    ("output-unreachable", {}, failure("OUTPUT_UPLOAD_FAILED"), "could not be delivered"),
    ("spec-invalid", {}, failure("INVALID_PARAMETERS"), "kubectl recon retry banana --param"),
    ("model-missing", {"modelType": "reconviagen"}, failure("BACKEND_UNAVAILABLE"), "workers that have reconviagen"),
    ("out-of-room", {}, failure("OUT_OF_MEMORY", attempt=3), "failed after 3 attempts with OUT_OF_MEMORY"),
    ("worker-trouble", {}, failure("WORKER_LOST"), "kubectl recon logs banana"),
    ("timed-out", {}, failure("TIMEOUT"), "activeDeadlineSeconds"),
    ("waited-too-long", {}, failure("QUEUE_TIMEOUT"), "queueDeadlineSeconds"),
    ("not-granted", {}, failure("TOO_MANY_WAITING"), "ask the administrator"),
]


@pytest.fixture
def connection(cluster: devcluster.Cluster, namespace: str) -> Iterator[Connection]:
    """An API server with the CRD, and with a Lease that was renewed just now. No operator runs."""
    cluster.kubectl("apply", "-f", REPOSITORY / "manifests" / "crd")
    wait_until(
        lambda: cluster.api.is_there(f"{GROUP}/reconstructionjobs"), "the API server to serve ReconstructionJobs"
    )
    connection = connect(kubeconfig=str(cluster.kubeconfig), namespace=namespace)
    place, name = LEASE.split("/")[5], LEASE.split("/")[-1]
    if not cluster.api.is_there(f"/api/v1/namespaces/{place}"):
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": place}})
    lease(connection, renewed=datetime.now(UTC))
    yield connection
    cluster.api.delete(f"{GROUP}/namespaces/{namespace}/reconstructionjobs")
    cluster.kubectl("-n", place, "delete", "lease", name, "--ignore-not-found")


def lease(connection: Connection, *, renewed: datetime) -> None:
    spec = {
        "holderIdentity": "operator-1",
        "leaseDurationSeconds": 15,
        "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE.split("/")[-1]},
        "spec": spec,
    }
    connection.api.apply(LEASE, body, force="true")


def write(connection: Connection, spec: dict[str, Any], status: dict[str, Any], name: str = "banana") -> Job:
    """Create a job with that spec and status."""
    cancel = {key: value for key, value in spec.items() if key.startswith("cancel")}
    first = {"input": {"uri": "file:///photos/banana"}} | {key: spec[key] for key in spec if key not in cancel}
    path = job_path(connection.namespace, name)
    connection.api.post(path.rpartition("/")[0], manifest(name, **first))
    for step, value in cancel.items():
        connection.api.merge(path, {"spec": {step: value}})
    generation = connection.api.get(path)["metadata"]["generation"]
    if status:
        connection.api.merge(f"{path}/status", {"status": {"observedGeneration": generation} | status})
    return Job(connection.api.get(path))


def why(connection: Connection, job: Job) -> tuple[Answer, str]:
    answer = rules.answer(explaining.gather(connection, job, datetime.now(UTC)))
    return answer, " ".join([answer.text, *answer.details, *answer.actions])


@pytest.mark.parametrize(("situation", "spec", "status", "words"), [pytest.param(*row, id=row[0]) for row in TABLE])
def test_each_situation_has_an_answer_and_what_to_do(
    connection: Connection, situation: str, spec: dict[str, Any], status: dict[str, Any], words: str
) -> None:
    answer, text = why(connection, write(connection, spec, status))
    assert (answer.situation, words in text) == (situation, True), text
    assert answer.actions


@pytest.mark.parametrize("status", [{}, RUNNING], ids=["not-seen", "running"])
def test_an_unavailable_operator_is_reported(connection: Connection, status: dict[str, Any]) -> None:
    lease(connection, renewed=datetime.now(UTC) - timedelta(minutes=7))
    answer, text = why(connection, write(connection, {}, status))
    assert (answer.situation, "renewed 7m" in text) == ("operator-away", True), text


def test_a_namespace_that_no_operator_watches_is_reported(connection: Connection) -> None:
    job = write(connection, {}, {})
    later = explaining.gather(connection, job, datetime.now(UTC) + timedelta(seconds=20))
    assert rules.answer(later).situation == "namespace-not-watched"


def test_a_misspelt_queue_gets_a_suggestion(connection: Connection) -> None:
    write(connection, {"queue": "gpu-large"}, RUNNING, name="other")
    answer, text = why(
        connection, write(connection, {"queue": "gpu-larg"}, {"phase": "Pending", "conditions": UNSERVED})
    )
    assert "gpu-large" in answer.more["servedQueues"]
    assert "Did you mean gpu-large?" in text
    assert '{"spec":{"queue":"gpu-large"}}' in text


def test_running_and_older_jobs_of_the_queue_are_counted(connection: Connection) -> None:
    write(connection, {"queue": "counted"}, RUNNING, name="busy")
    _, text = why(connection, write(connection, {"queue": "counted"}, {"phase": "Queued"}))
    assert "queue counted: 1 jobs run, 0 older ones wait" in text


def test_why_prints_the_answer_as_json(cluster: devcluster.Cluster, connection: Connection) -> None:
    write(connection, {"suspend": True}, {"phase": "Suspended"})
    done = Program(cluster.kubeconfig, connection.namespace)("why", "banana", "-o", "json")
    found = json.loads(done.stdout)
    assert (found["situation"], found["phase"], found["well"]) == ("suspended", "Suspended", False)
    assert found["unknown"] == ["there is no pod of the operator in namespace reconstruction-system"]


def test_why_prints_a_sentence_and_a_list_of_actions(cluster: devcluster.Cluster, connection: Connection) -> None:
    write(connection, {"suspend": True}, {"phase": "Suspended"})
    lines = Program(cluster.kubeconfig, connection.namespace)("why", "@latest").stdout.splitlines()
    assert lines[:4] == [
        "banana: Suspended",
        "It is suspended (spec.suspend), so it does not run.",
        "What to do:",
        "  - resume it, from its last finished stage: kubectl recon resume banana",
    ]
