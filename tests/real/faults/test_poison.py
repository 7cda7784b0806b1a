"""Poison jobs: a job that kills its worker each time fails, and the jobs beside it succeed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, phase
from devcluster.harness.system import REPOSITORY, System
from tests.support.systems import SharedSystems

pytestmark = [pytest.mark.release, pytest.mark.long, pytest.mark.timeout(600)]

_BACKOFF_LIMIT = 2


@dataclass(frozen=True)
class Signs:
    """Files that the models wait for (tests/data/models)."""

    folder: Path

    def kill(self) -> None:
        """Let the poison kill its worker once."""
        (self.folder / "kill").touch()

    def finish(self) -> None:
        """Let the others finish."""
        (self.folder / "finish").touch()


@pytest.fixture
def signs(tmp_path: Path) -> Signs:
    return Signs(tmp_path)


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """An operator without workers: each test starts its own."""
    return start_system(redis={"persistent": True}, fresh=True, BACKOFF_SECONDS="0.2")


@pytest.fixture
def start(system: System, signs: Signs) -> Callable[[str, int], None]:
    """Start the worker, with the same name each time, as in a restarted container."""

    def start_worker(pool: str, concurrency: int) -> None:
        models = f"{REPOSITORY}/tests/data/models"
        system.start_worker(pool=pool, concurrency=concurrency, PYTHONPATH=models, ROUGH_MODELS_SIGNS=str(signs.folder))

    return start_worker


def _poison(jobs: Jobs) -> str:
    return jobs.create("poison", modelType="rough-poison", backoffLimit=_BACKOFF_LIMIT)


def _innocents(jobs: Jobs) -> list[str]:
    return [jobs.create(f"innocent-{n}", modelType="rough-patient", backoffLimit=_BACKOFF_LIMIT) for n in range(5)]


def _runs(job: dict[str, Any], attempt: int) -> bool:
    return phase(job) == "Running" and bool(job["status"]["attempt"] == attempt)


def _wait_runs(jobs: Jobs, name: str, attempt: int) -> None:
    jobs.wait(name, f"in attempt {attempt}", lambda job: _runs(job, attempt))


def _running_in(jobs: Jobs, names: tuple[str, ...], attempt: int) -> str | None:
    """Return the first of these jobs that runs in this attempt."""
    return next((name for name in names if _runs(jobs.get(name), attempt)), None)


def _ended(jobs: Jobs, name: str) -> tuple[str, int, int]:
    """Return phase, attempt and failures of the finished job."""
    status = jobs.wait_finished(name, timeout_seconds=120)["status"]
    return status["phase"], status["attempt"], status.get("failures", 0)


def _wait_killed(system: System) -> None:
    wait_until(lambda: not system.processes["worker"].alive, "the whole worker to be killed")


def test_jobs_beside_a_poison_in_a_prefork_worker_are_not_affected(
    jobs: Jobs, signs: Signs, start: Callable[[str, int], None]
) -> None:
    start("prefork", 6)
    poison = _poison(jobs)
    innocents = _innocents(jobs)
    for name in innocents:
        _wait_runs(jobs, name, 1)

    for attempt in (1, 2, 3):
        _wait_runs(jobs, poison, attempt)
        signs.kill()
    assert _ended(jobs, poison) == ("Failed", 3, 3)
    assert {phase(jobs.get(name)) for name in innocents} == {"Running"}
    signs.finish()

    assert [_ended(jobs, name) for name in innocents] == [("Succeeded", 1, 0)] * len(innocents)


def test_jobs_that_crashed_twice_with_a_poison_are_retried_apart_from_it(
    jobs: Jobs, signs: Signs, system: System, start: Callable[[str, int], None]
) -> None:
    start("threads", 6)
    poison = _poison(jobs)
    innocents = _innocents(jobs)

    for attempt in (1, 2):
        for name in (poison, *innocents):
            _wait_runs(jobs, name, attempt)
        signs.kill()
        _wait_killed(system)
        start("threads", 6)
    # The job whose loss is noticed first is retried first.
    tried = wait_until(lambda: _running_in(jobs, (poison, *innocents), 3), "one of them to be retried")
    for name in {poison, *innocents} - {tried}:
        jobs.wait(name, "waiting for its turn", lambda job: "one at a time" in job["status"]["message"])
    system.processes["operator"].kill()
    system.start_operator()
    jobs.wait_finished(jobs.create())  # by then the new operator has dispatched all admitted jobs
    if tried != poison:
        signs.finish()  # the innocents end one after another, until the poison is retried
    _wait_runs(jobs, poison, 3)
    signs.kill()
    _wait_killed(system)
    start("threads", 6)

    assert _ended(jobs, poison) == ("Failed", 3, 3)
    signs.finish()
    assert [_ended(jobs, name) for name in innocents] == [("Succeeded", 3, 2)] * len(innocents)
