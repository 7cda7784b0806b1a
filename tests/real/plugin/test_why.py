"""`kubectl recon why`: each situation on a real API server, with a status and a published state as the operator writes
them.

A viewer, an editor and an administrator get the same answer, and each command in it can be run as it stands.

`test_why_live.py` has the situations that a running system creates, `test_why_faults.py` those of faults.
"""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from kubectl_recon.cli.main import app
from kubectl_recon.commands import explaining
from kubectl_recon.diagnosis import rules
from kubectl_recon.diagnosis.facts import Answer
from kubectl_recon.errors import NotFoundError
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import Connection, connect
from reconstruction_operator.contract.info import KEY, LABELS, NAMESPACE, SELECTOR, InstallationInfo, Workers
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.paths import job as job_path
from typer.main import get_command

import devcluster
from devcluster.harness.manifests import manifest
from devcluster.harness.system import GROUP
from devcluster.programs.toolchain import kubectl
from tests.support.plugin import Program
from tests.support.systems import running_system


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

BUSY = InstallationInfo(lease="recon/operator", complete=True, pools=("celery",))


class Row(NamedTuple):
    """A fault, and words of the answer or its actions.

    `info`: what is published; `later`: seconds from the job's creation.
    """

    situation: str
    spec: dict[str, Any]
    status: dict[str, Any]
    words: str
    info: InstallationInfo | None = BUSY
    later: int = 0


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
        {"phase": "Pending", "conditions": conditions(Dispatched=("False", "RedisNearlyFull"))},
        "DISPATCH_MEMORY_SHARE",
    ),
    (
        "namespace-quota",
        {},
        {"phase": "Pending", "conditions": conditions(Dispatched=("False", "NamespaceQuota"))},
        "NAMESPACE_MAX_RUNNING",
    ),
    (
        "quarantined",
        {},
        {
            "phase": "Pending",
            "conditions": conditions(Dispatched=("False", "Quarantined")),
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
    (
        "in-line",
        {},
        {"phase": "Pending", "message": "Waiting for room in queue celery: place 20 or better"},
        "place 20 or better",
    ),
    ("queued", {}, {"phase": "Queued", "dispatchTime": ago(minutes=3)}, "no worker has taken it yet"),
    (
        "between-legs",
        {"stageQueues": {"depth": "gpu"}},
        {
            "phase": "Queued",
            "progress": {"percent": 40},
            "leg": {"number": 1, "queue": "gpu", "stage": "depth"},
            "conditions": conditions(Dispatched=("True", "NoWorker")),
        },
        "its next stage waits for a worker of queue gpu",
    ),
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
    ("poor-result", {}, {"phase": "Succeeded", "verdict": "Warning", "message": "Warning: only 5 of 9"}, "only 5 of 9"),
    ("photos-insufficient", {}, failure("NOT_ENOUGH_OVERLAP"), "take 20 or more photos"),
    ("photos-from-one-place", {}, failure("NO_PARALLAX"), "walk around the object"),
    ("photos-unreadable", {}, failure("CORRUPT_IMAGE"), "export the photos in the message again"),
    ("input-address", {}, failure("INPUT_NOT_FOUND"), "by kubectl recon submit"),
    ("input-unreachable", {}, failure("INPUT_UNREACHABLE"), "check that server"),
    (
        "output-refused",
        {},
        failure("OUTPUT_REFUSED", outputs={"uri": "file:///jobs/x"}),
        "the result exists, at file:///jobs/x",
    ),
    ("output-unreachable", {}, failure("OUTPUT_UPLOAD_FAILED"), "could not be delivered"),
    ("spec-invalid", {}, failure("INVALID_PARAMETERS"), "kubectl recon retry banana --edit"),
    ("model-missing", {"modelType": "reconviagen"}, failure("BACKEND_UNAVAILABLE"), "that have reconviagen"),
    ("out-of-room", {}, failure("OUT_OF_MEMORY", attempt=3), "failed after 3 attempts with OUT_OF_MEMORY"),
    ("worker-trouble", {}, failure("WORKER_LOST"), "kubectl recon logs banana"),
    ("timed-out", {}, failure("TIMEOUT"), "activeDeadlineSeconds"),
    ("waited-too-long", {}, failure("QUEUE_TIMEOUT"), "queueDeadlineSeconds"),
    ("not-granted", {}, failure("TOO_MANY_WAITING"), "ask the administrator"),
]


QUEUED: dict[str, Any] = {"phase": "Queued"}
PENDING: dict[str, Any] = {"phase": "Pending"}
ELSEWHERE = (Workers(("celery",), 1, {"x": {}}), Workers(("gpu",), 1, {"photogrammetry": {}}))
PATCH = """kubectl patch recon banana --type=merge -p '{"spec":{"queue":"gpu"}}'"""
FAULTS = [  # that the published state shows
    Row("operator-stuck", {}, QUEUED, "The loop of the operator makes no", replace(BUSY, problems=("LoopLate",))),
    Row("operator-stuck", {}, QUEUED, "writes statuses late", replace(BUSY, problems=("WritesLate",))),
    Row("redis-nearly-full", {}, PENDING, "Redis is nearly full", replace(BUSY, problems=("RedisNearlyFull",))),
    Row("namespace-not-watched", {}, {}, "does not watch namespace", replace(BUSY, narrowed=True), 11),
    Row("operator-behind", {}, {}, "it is overloaded", BUSY, 11),
    Row("not-seen", {}, {}, "no operator has published its state here", None, 11),
    Row("queue-unserved", {}, PENDING | {"conditions": UNSERVED}, PATCH, replace(BUSY, workers=ELSEWHERE[1:])),
    Row(
        "model-unserved",
        {},
        PENDING | {"conditions": conditions(Dispatched=("False", "ModelUnserved"))},
        PATCH,
        replace(BUSY, workers=ELSEWHERE),
    ),
]
ROLES = ("viewer", "editor", "administrator")


@pytest.fixture(scope="module")
def people(cluster: devcluster.Cluster) -> Iterator[dict[str, Connection]]:
    """A connection of each role to one namespace, on an API server with the CRD and the roles. No operator runs."""
    with running_system(cluster, operator=False):
        pass
    path = f"{paths.core(NAMESPACE, 'configmaps')}?labelSelector={SELECTOR}"
    cluster.api.delete(path)
    namespace = f"why-{secrets.token_hex(4)}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    kubeconfigs = {"administrator": cluster.kubeconfig}
    for role in ROLES[:2]:
        cluster.kubectl("-n", namespace, "create", "serviceaccount", role)
        bound = (f"--clusterrole=reconstruction-{role}", f"--serviceaccount={namespace}:{role}")
        cluster.kubectl("-n", namespace, "create", "rolebinding", role, *bound)
        kubeconfigs[role] = cluster.service_account_kubeconfig(namespace, role)
    people = {role: connect(kubeconfig=str(kubeconfigs[role]), namespace=namespace) for role in ROLES}
    yield people
    for connection in people.values():
        connection.api.close()
    cluster.api.delete(path)


@pytest.fixture
def connection(cluster: devcluster.Cluster, people: dict[str, Connection]) -> Iterator[Connection]:
    """The administrator's, with a state that was published just now."""
    connection = people["administrator"]
    publish(connection, BUSY)
    yield connection
    cluster.api.delete(f"{GROUP}/namespaces/{connection.namespace}/reconstructionjobs")


def publish(connection: Connection, info: InstallationInfo | None) -> None:
    """Replace what is published, at the time of its beat or else now."""
    path = paths.core(NAMESPACE, "configmaps")
    for body in connection.api.items(path):
        if body["metadata"].get("labels") == LABELS:
            connection.api.merge(f"{path}/{body['metadata']['name']}", {"metadata": {"labels": None}})
    if info is None:
        return
    text = replace(info, beat=info.beat or datetime.now(UTC)).text()
    content = {"metadata": {"name": info.name, "labels": LABELS}, "data": {KEY: text}}
    try:
        connection.api.merge(f"{path}/{info.name}", content)
    except NotFoundError:
        connection.api.post(path, content)


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


def why(connection: Connection, job: Job, at: datetime | None = None) -> tuple[Answer, str]:
    answer = rules.answer(explaining.gather(connection, job, at or datetime.now(UTC)))
    return answer, " ".join([answer.text, *answer.details, *answer.actions])


def check_alike(people: dict[str, Connection], job: Job, first: Answer, at: datetime) -> None:
    """Check that each role gets this answer, with commands that can be run as they stand."""
    for role in ROLES:
        answer, _ = why(people[role], job, at)
        assert (answer.situation, answer.text) == (first.situation, first.text), role
        for action in answer.actions:
            words = shlex.split(action.partition(": kubectl ")[2])
            assert not any(word.partition("=")[0].isupper() for word in words), action  # as NAME=VALUE
            if words[:1] == ["recon"]:
                group: Any = get_command(app)
                context = group.make_context("recon", [], resilient_parsing=True)
                name, command, rest = group.resolve_command(context, words[1:])
                command.make_context(name, rest)
            elif words and role != "viewer":
                subprocess.run([kubectl(), *words, "--dry-run=server"], check=True)


ROWS = [*(Row(*row) for row in TABLE), *FAULTS]


@pytest.mark.parametrize("row", ROWS, ids=[row.situation for row in ROWS])
def test_each_fault_has_an_answer_for_every_role(
    connection: Connection, people: dict[str, Connection], row: Row
) -> None:
    job = write(connection, row.spec, row.status)
    if row.info != BUSY:
        publish(connection, row.info)
    at = datetime.now(UTC) + timedelta(seconds=row.later)
    answer, text = why(connection, job, at)
    assert (answer.situation, row.words in text) == (row.situation, True), text
    assert answer.actions
    check_alike(people, job, answer, at)


def test_a_misspelt_queue_gets_a_suggestion(connection: Connection, people: dict[str, Connection]) -> None:
    publish(connection, replace(BUSY, workers=(Workers(("gpu-large",), 1),)))
    job = write(connection, {"queue": "gpu-larg"}, {"phase": "Pending", "conditions": UNSERVED})
    answer, text = why(connection, job)
    assert answer.more["servedQueues"] == ["gpu-large"]
    assert "Did you mean gpu-large?" in text
    assert '{"spec":{"queue":"gpu-large"}}' in text
    check_alike(people, job, answer, datetime.now(UTC))


def test_why_prints_the_answer_as_json(cluster: devcluster.Cluster, connection: Connection) -> None:
    write(connection, {"suspend": True}, {"phase": "Suspended"})
    done = Program(cluster.kubeconfig, connection.namespace)("why", "banana", "-o", "json")
    answer = json.loads(done.stdout)
    assert (answer["situation"], answer["phase"], answer["well"]) == ("suspended", "Suspended", False)
    assert answer["unknown"] == []


def test_why_prints_a_sentence_and_a_list_of_actions(cluster: devcluster.Cluster, connection: Connection) -> None:
    write(connection, {"suspend": True}, {"phase": "Suspended"})
    lines = Program(cluster.kubeconfig, connection.namespace)("why", "@latest").stdout.splitlines()
    assert lines[:4] == [
        "banana: Suspended",
        "It is suspended (spec.suspend), so it does not run.",
        "What to do:",
        f"  - resume it, from its last finished stage: kubectl recon resume banana --namespace {connection.namespace}",
    ]
