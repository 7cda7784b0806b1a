"""One attempt runs on the workers of several queues: each stage on the queue that `spec.stageQueues` names for it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, Seen
from devcluster.harness.replicas import Replica
from devcluster.harness.system import System
from tests.support.systems import SharedSystems, Worker

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

CPU = Worker("cpu", concurrency=2)
GPU = Worker("gpu", concurrency=2, settings={"WORKER_POOLS": "gpu"})
STEP_SECONDS = 0.8
ON_GPU = {"reconstruct": "gpu"}
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}")


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    return start_system(CPU, GPU, STAGE_QUEUE_PATIENCE_SECONDS="3")


def create(jobs: Jobs, seconds: float = STEP_SECONDS, **spec: Any) -> str:
    return jobs.create(modelType="placeholder", parameters={"stepSeconds": seconds}, **({"stageQueues": ON_GPU} | spec))


def _leg(job: dict[str, Any]) -> int:
    number: int = job.get("status", {}).get("leg", {}).get("number", 0)
    return number


def _waits(job: dict[str, Any]) -> bool:
    return _leg(job) > 0 and job["status"]["phase"] == "Queued"


def _workers_of(seen: Seen, name: str) -> list[tuple[int, str]]:
    """Return leg and worker of each status in which the job ran, in order, without repetitions."""
    pairs = [
        (_leg(job), job["status"]["worker"].partition("@")[0])
        for job in seen.of(name)
        if job.get("status", {}).get("phase") == "Running"
    ]
    return [pair for at, pair in enumerate(pairs) if at == 0 or pair != pairs[at - 1]]


def test_a_stage_runs_on_the_worker_of_its_queue_as_the_same_attempt(jobs: Jobs, seen: Seen) -> None:
    plain = create(jobs, stageQueues={})
    name = create(jobs)

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["attempt"], status["failures"]) == ("Succeeded", 1, 0)
    assert _workers_of(seen, name) == [(0, "cpu"), (1, "gpu"), (2, "cpu")]
    seen.assert_never_backwards(name)
    assert not any("worker" in job["status"] for job in seen.of(name) if _waits(job)), "that of the leg before"
    took = {step["name"]: step.get("seconds", 0) for step in status["steps"]}
    assert len(took) == 6
    assert took["Running reconstruction"] >= 1, "the leg before the last has made it"
    moved = [note for _, reason, note in jobs.events(name) if reason == "Moved"]
    assert sorted(moved) == [
        "Stage postprocess of attempt 1 runs on queue celery",
        "Stage reconstruct of attempt 1 runs on queue gpu",
    ]
    assert [path.name for path in jobs.folder(name).iterdir()] == ["output"]
    jobs.wait_finished(plain)
    files = [_files(jobs, job) for job in (plain, name)]
    assert files[0] == files[1]


def _files(jobs: Jobs, name: str) -> dict[str, str]:
    manifest = json.loads((jobs.folder(name) / "output" / "manifest.json").read_text())
    return {file["name"]: file["sha256"] for file in manifest["files"]}


def test_the_gpu_worker_runs_its_stage_alone_and_gets_it_within_a_second(jobs: Jobs, system: System) -> None:
    name = create(jobs)

    jobs.wait_finished(name)

    # When a run began or left, and on which worker, by their logs
    happened = sorted(
        (_time_of(line), worker, "leaves" if "continues on queue" in line else "begins")
        for worker in ("cpu", "gpu")
        for line in system.processes[worker].log.read_text().splitlines()
        if f"/{name} begins: " in line or f"/{name} continues on queue" in line
    )
    assert [event[1:] for event in happened] == [
        ("cpu", "begins"),
        ("cpu", "leaves"),
        ("gpu", "begins"),
        ("gpu", "leaves"),
        ("cpu", "begins"),
    ]
    handovers = [then - before for (before, _, _), (then, _, what) in pairwise(happened) if what == "begins"]
    print("handovers in seconds:", [round(seconds, 2) for seconds in handovers])  # noqa: T201  # a figure of the docs
    assert max(handovers) <= 1.0


def _time_of(line: str) -> float:
    found = _TIME.search(line)
    assert found, line
    return datetime.fromisoformat(found[0].replace(",", ".")).timestamp()


@pytest.mark.parametrize(
    ("leg", "worker"),
    [pytest.param(0, "cpu", id="first"), pytest.param(1, "gpu", id="second")],
)
def test_after_a_killed_worker_of_a_leg_another_attempt_takes_over_its_stages(
    jobs: Jobs, seen: Seen, system: System, leg: int, worker: str
) -> None:
    name = create(jobs, STEP_SECONDS * 2)
    step = 2 if leg == 0 else 3
    jobs.wait(
        name,
        f"in leg {leg}",
        lambda job: (
            _leg(job) == leg
            and job["status"].get("worker", "").startswith(worker)
            and job["status"].get("progress", {}).get("stepIndex", 0) >= step
        ),
    )

    system.processes[worker].kill()
    system.start_worker("second", concurrency=2, WORKER_POOLS="gpu" if worker == "gpu" else "celery")

    status = jobs.wait_finished(name, timeout_seconds=60)["status"]
    assert (status["phase"], status["attempt"], status["failures"]) == ("Succeeded", 2, 1)
    assert status["leg"]["number"] == 2
    seen.assert_never_backwards(name)
    after = [f"{job['status']['attempt']}-{_leg(job)}" for job in seen.of(name) if job.get("status", {}).get("attempt")]
    assert list(dict.fromkeys(after))[-3:] == ["2-0", "2-1", "2-2"]


def test_a_cancel_between_legs_needs_no_worker_of_the_other_queue(jobs: Jobs, system: System) -> None:
    name = create(jobs, stageQueues={"reconstruct": "unserved"})
    jobs.wait(name, "between legs", _waits)

    jobs.cancel(name)

    status = jobs.wait_finished(name, timeout_seconds=20)["status"]
    assert (status["phase"], status["attempt"]) == ("Cancelled", 1)
    wait_until(lambda: not jobs.folder(name).exists(), "the job's files to be deleted")


def test_without_a_worker_in_time_the_stage_runs_on_the_jobs_own_queue(jobs: Jobs, seen: Seen) -> None:
    name = create(jobs, stageQueues={"reconstruct": "unserved"})

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["attempt"], status["failures"]) == ("Succeeded", 1, 0)
    assert (status["leg"]["number"], status["leg"]["queue"], status["leg"]["insteadOf"]) == (2, "celery", "unserved")
    assert _workers_of(seen, name) == [(0, "cpu"), (2, "cpu")]
    warned = [note for kind, reason, note in jobs.events(name) if (kind, reason) == ("Warning", "Moved")]
    text = "No worker of queue unserved was free in time: stage reconstruct of attempt 1 runs on queue celery"
    assert warned == [text]
    seen.assert_never_backwards(name)


def test_a_pool_without_workers_counts_a_waiting_leg_and_a_worker_that_starts_takes_it(
    jobs: Jobs, seen: Seen, start_system: SharedSystems
) -> None:
    system = start_system(CPU, STAGE_QUEUE_PATIENCE_SECONDS="120", METRICS_POOLS="celery,late")
    name = create(jobs, stageQueues={"reconstruct": "late"})
    jobs.wait(name, "between legs", _waits)

    Replica(system).wait_metric("reconstruction_queue_jobs", 1.0, phase="Queued", queue="late")
    system.start_worker("late", concurrency=1, WORKER_POOLS="late")

    assert jobs.wait_finished(name)["status"]["phase"] == "Succeeded"
    assert _workers_of(seen, name) == [(0, "cpu"), (1, "late"), (2, "cpu")]


def test_a_pool_has_queues_of_stages_for_jobs_that_name_none(
    jobs: Jobs, seen: Seen, start_system: SharedSystems
) -> None:
    pools = {"POOL_STAGE_QUEUES": "celery/reconstruct=gpu,celery/depth=gpu", "POOL_NAMESPACES": "private=another-team"}
    start_system(CPU, GPU, STAGE_QUEUE_PATIENCE_SECONDS="3", **pools)

    moves = create(jobs, stageQueues={})
    stays = create(jobs, stageQueues={"reconstruct": "celery"})

    for name in (moves, stays):
        assert jobs.wait_finished(name)["status"]["phase"] == "Succeeded"
    assert _workers_of(seen, moves) == [(0, "cpu"), (1, "gpu"), (2, "cpu")]
    assert _workers_of(seen, stays) == [(0, "cpu")]


def test_an_unknown_stage_is_refused_with_the_names_of_all(jobs: Jobs) -> None:
    name = create(jobs, stageQueues={"reconstrct": "gpu"})

    failure = jobs.wait_finished(name)["status"]["failure"]

    assert failure["reason"] == "INVALID_SPEC"
    assert "did you mean reconstruct? The stages are preprocess, reconstruct, postprocess" in failure["message"]
