"""Several workers make one job: each makes parts of its long stages (`spec.parts`)."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, Seen
from devcluster.harness.system import System
from tests.support.systems import ROUGH, SharedSystems, Worker

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

PARTS, SECONDS = 8, 1.5
WORKERS = ("one", "two", "three")  # how their names begin


@pytest.fixture
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a file for each part that a process has begun: <part>.<pid>."""
    folder = tmp_path_factory.getbasetemp() / "begun"
    folder.mkdir(exist_ok=True)
    for note in folder.iterdir():
        note.unlink()
    return folder


@pytest.fixture
def system(start_system: SharedSystems, notes: Path) -> System:
    settings = {**ROUGH.settings, "ROUGH_MODELS_PIDS": str(notes)}
    return start_system(*(Worker(name, concurrency=1, settings=settings) for name in ("one", "two")))


def create(jobs: Jobs, parts: int = PARTS, seconds: float = SECONDS, *, spec: Any = None, **parameters: Any) -> str:
    wanted = {"modelType": "rough-parted", "queue": "rough", "parts": 2, "reuse": "Never"} | (spec or {})
    return jobs.create(parameters={"parts": parts, "seconds": seconds} | parameters, **wanted)


def begun(notes: Path) -> Counter[int]:
    """Return how often each part was begun."""
    return Counter(int(note.name.partition(".")[0]) for note in notes.iterdir())


def makers(notes: Path) -> set[int]:
    """Return the processes that have begun parts."""
    return {int(note.name.partition(".")[2]) for note in notes.iterdir()}


def helper_of(jobs: Jobs, name: str, system: System) -> str:
    """Return the worker that does not run the job itself."""
    owner = jobs.get(name)["status"]["worker"].partition("@")[0]
    return next(other for other in system.processes if other in ("one", "two") and other != owner)


def wait_helped(jobs: Jobs, name: str, done: int = 0) -> dict[str, Any]:
    """Wait until two workers make parts."""

    def is_helped(job: dict[str, Any]) -> bool:
        parts = job.get("status", {}).get("parts", {})
        return parts.get("running") == 2 and parts.get("done", 0) >= done

    return jobs.wait(name, "helped", is_helped)


def wait_clean(jobs: Jobs, name: str, system: System) -> None:
    """Wait until only the result is left of the job's files, and no key about parts."""
    uid = jobs.get(name)["metadata"]["uid"]
    with redis.Redis.from_url(system.redis.url(1)) as client:
        wait_until(lambda: not client.exists(f"parts:{uid}"), "the end of its parts in Redis")
    wait_until(lambda: [path.name for path in jobs.folder(name).iterdir()] == ["output"], "its other files to go")


def assert_right(jobs: Jobs, name: str, parts: int = PARTS) -> None:
    text = (jobs.folder(name) / "output" / "ground.txt").read_text()
    assert text == "".join(f"{number}\n" for number in range(parts))


def test_two_workers_make_one_job_in_parts_and_leave_nothing(
    jobs: Jobs, seen: Seen, system: System, notes: Path
) -> None:
    name = create(jobs)

    wait_helped(jobs, name, done=1)
    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["attempt"], status["failures"]) == ("Succeeded", 1, 0)
    assert status["parts"] == {"total": PARTS, "done": PARTS, "running": 0}
    assert begun(notes) == dict.fromkeys(range(PARTS), 1)
    assert len(makers(notes)) == 2
    assert_right(jobs, name)
    seen.assert_never_backwards(name)
    assert any(job["status"].get("message", "").endswith(", 2 workers") for job in seen.of(name) if "status" in job)
    wait_clean(jobs, name, system)


def test_a_helper_goes_on_with_the_next_stage_in_the_same_process(jobs: Jobs, system: System, notes: Path) -> None:
    name = create(jobs, parts=4, seconds=1.0, layers=3)

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["attempt"]) == ("Succeeded", 1)
    assert begun(notes) == dict.fromkeys(range(12), 1)
    by_maker = Counter(int(note.name.partition(".")[2]) for note in notes.iterdir())
    assert len(by_maker) == 2
    assert min(by_maker.values()) >= 4
    assert_right(jobs, name, 4)
    wait_clean(jobs, name, system)


def test_a_helper_that_waits_for_the_next_stage_yields_to_a_job(jobs: Jobs, system: System, notes: Path) -> None:
    name = create(jobs, parts=4, layers=2, pause=6.0)
    wait_until(lambda: begun(notes).total() == 4, "the first stage")
    jobs.wait(name, "the end of it", lambda job: job["status"].get("parts", {}).get("done") == 4)
    first = makers(notes)

    other = create(jobs, spec={"modelType": "rough-good"})
    assert jobs.wait_finished(other)["status"]["phase"] == "Succeeded"
    assert jobs.wait_finished(name)["status"]["phase"] == "Succeeded"

    assert len(first) == 2
    assert len(makers(notes) - first) == 1  # the helper of the second stage is a new process


def test_a_killed_helper_costs_its_part_alone(jobs: Jobs, system: System, notes: Path) -> None:
    name = create(jobs)
    wait_helped(jobs, name)
    system.processes[helper_of(jobs, name, system)].kill()

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["attempt"], status["failures"]) == ("Succeeded", 1, 0)
    assert begun(notes).total() <= PARTS + 1
    assert_right(jobs, name)
    wait_clean(jobs, name, system)


def test_after_a_killed_run_the_next_attempt_finds_the_finished_parts(jobs: Jobs, system: System, notes: Path) -> None:
    name = create(jobs)
    job = wait_helped(jobs, name, done=2)
    system.processes[job["status"]["worker"].partition("@")[0]].kill()

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["attempt"], status["failures"]) == ("Succeeded", 2, 1)
    assert begun(notes).total() <= PARTS + 2  # one of the run, and one of its helper, which stops with it
    assert_right(jobs, name)
    wait_clean(jobs, name, system)


@pytest.mark.release  # two minutes; `make test` kills a helper and a run
@pytest.mark.timeout(600)
def test_ten_kills_cost_one_part_for_each_worker_that_they_stop(
    jobs: Jobs, notes: Path, start_system: SharedSystems
) -> None:
    settings = {**ROUGH.settings, "ROUGH_MODELS_PIDS": str(notes)}
    system = start_system(*(Worker(name, concurrency=1, settings=settings) for name in ("one", "two")), fresh=True)
    jobs = Jobs(system, jobs.namespace)
    parts, runs = 100, 0
    name = create(jobs, parts=parts, seconds=2.0)

    for kill in range(10):
        owner = wait_helped(jobs, name)["status"]["worker"].partition("@")[0]
        helper = next(other for other in system.processes if other.startswith(WORKERS) and other != owner)
        is_run = kill in (3, 7)  # a lost run is a failure of the job, so few of the ten
        runs += is_run
        known = len(makers(notes))
        system.processes.pop(owner if is_run else helper).kill()
        system.start_worker(f"three-{kill}", pool="prefork", concurrency=1, **settings)
        wait_until(lambda: len(makers(notes)) >= known + 1 + is_run, "the new worker's help", timeout_seconds=60)  # noqa: B023

    status = jobs.wait_finished(name)["status"]
    assert (status["phase"], status["attempt"], status["failures"]) == ("Succeeded", 1 + runs, runs)
    assert begun(notes).total() <= parts + 10 + runs  # the helper of a lost run stops with it
    assert_right(jobs, name, parts)


def test_a_photo_that_kills_a_helper_is_left_to_the_run(jobs: Jobs, system: System, notes: Path) -> None:
    name = create(jobs, deadly=1)

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["attempt"], status["failures"]) == ("Succeeded", 1, 0)
    assert 2 <= begun(notes)[1] <= 3
    assert begun(notes).total() == PARTS + begun(notes)[1] - 1
    assert_right(jobs, name)
    owner = status["worker"].partition("@")[0]
    assert "gets no help from a worker" in system.processes[owner].log.read_text()


def test_a_photo_that_kills_each_process_fails_its_job_alone(jobs: Jobs, system: System, notes: Path) -> None:
    name = create(jobs, spec={"backoffLimit": 0}, deadly=1, always=True)

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["failures"]) == ("Failed", 1)
    assert "SIGKILL" in status["failure"]["message"]
    assert begun(notes)[1] <= 3
    assert all(process.alive for process in system.processes.values())
    other = create(jobs, parts=3, seconds=0.5)
    assert jobs.wait_finished(other)["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize("how", ["cancel", "suspend", "delete"])
def test_helpers_stop_with_their_job(jobs: Jobs, system: System, notes: Path, how: str) -> None:
    name = create(jobs, seconds=30)
    wait_helped(jobs, name)
    folder = jobs.folder(name)

    if how == "cancel":
        jobs.cancel(name)
    elif how == "suspend":
        jobs.patch(name, suspend=True)
    else:
        jobs.delete(name)

    asked = time.monotonic()
    wait_until(lambda: not any(map(psutil.pid_exists, makers(notes))), "the makers to end", timeout_seconds=30)
    print(f"both stopped {time.monotonic() - asked:.1f} s after the {how}")  # noqa: T201  # a figure
    if how == "suspend":
        jobs.wait_phase(name, "Suspended")
        jobs.cancel(name)
    wait_until(lambda: not folder.exists(), "the job's files to be deleted")


def test_another_job_waits_for_one_part_at_most(jobs: Jobs, seen: Seen, notes: Path) -> None:
    name = create(jobs, seconds=3, parts=12)
    wait_helped(jobs, name)
    created = time.monotonic()
    small = jobs.create(queue="rough", parameters={"stepSeconds": 0.05})

    jobs.wait_phase(small, "Succeeded")

    assert jobs.get(name)["status"]["phase"] == "Running"
    assert time.monotonic() - created < 3 * 3  # one part, and what a busy machine needs; the whole job takes 18 s
    jobs.wait_finished(name)
    assert begun(notes) == dict.fromkeys(range(12), 1)


def test_a_worker_with_another_version_of_the_model_does_not_help(
    jobs: Jobs, system: System, notes: Path, start_system: SharedSystems
) -> None:
    settings = {**ROUGH.settings, "ROUGH_MODELS_PIDS": str(notes)}
    other = {**settings, "ROUGH_MODELS_VERSION": "2", "WORKER_POOLS": "rough,newer"}
    system = start_system(Worker("one", concurrency=1, settings=settings), Worker("newer", settings=other))
    name = create(jobs, parts=3, seconds=1.0)

    status = jobs.wait_finished(name)["status"]

    assert (status["phase"], status["parts"]["done"]) == ("Succeeded", 3)
    assert len(makers(notes)) == 1
    owner = status["worker"].partition("@")[0]
    log = system.processes[owner].log.read_text()
    assert "gets no help from a worker" in log
    assert "another version of the model rough-parted" in log
