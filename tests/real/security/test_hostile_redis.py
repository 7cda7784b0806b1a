"""Hostile Redis: an attacker with write access spoils single jobs, all others succeed, and no process crashes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from devcluster.harness.jobs import Jobs, phase
from devcluster.harness.system import System
from devcluster.waiting import wait_until
from tests.support.systems import SharedSystems, Worker

FIFTY_MB = "x" * 50_000_000
DEEP = "[" * 200_000


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """A system for the tests of this file only, which leave hostile values in its Redis."""
    return start_system(Worker(concurrency=8))


@pytest.fixture
def broker(system: System) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(system.redis.url(0)) as client:
        yield client


def progress(**meta: Any) -> str:
    return json.dumps({"status": "PROGRESS", "result": meta})


HOSTILE_RESULTS: dict[str, str | bytes] = {
    "not text": b"\xff\xfe\x00",
    "not json": "{",
    "a list": "[]",
    "too big": FIFTY_MB,
    "too deep": DEEP,
    "wrong types": progress(progress=[], step={}, stepIndex="3", fraction=True, startedAt="now", images=-1),
    "not a number": '{"status": "PROGRESS", "result": {"progress": NaN, "fraction": Infinity, "startedAt": 1e999}}',
    "huge numbers": progress(progress=10**400, stepIndex=2**70, startedAt=10**300, images=2**80),
    "negative numbers": progress(progress=-5, step="s", stepIndex=-1),
    "terminals and pages": progress(progress=5, step="\x1b[2J\x00\ud800", message="<script>alert(1)</script>\n\r"),
    "half a character": '{"status": "PROGRESS", "result": {"progress": 1, "step": "\\ud800", "worker": "\\udfff"}}',
}


def ended(outcome: str, at: str = "1", **details: Any) -> dict[str, str | bytes]:
    return {"outcome": outcome, "ended_at": at, "details": json.dumps(details)}


HOSTILE_ENDS: dict[str, dict[str, str | bytes] | str | bytes] = {
    "not text": {"outcome": b"\xff"},
    "another's outcome": ended("Deleted"),
    "too big": {"outcome": FIFTY_MB},
    "another type": FIFTY_MB,
    "wrong types": ended("Succeeded", outputs=[], inputs=7, quality="x"),
    "half a character": {
        "outcome": "Failed",
        "ended_at": "1",
        "details": '{"reason": "\\ud800", "message": "\\udfff"}',
    },
    "a terminal's command": ended("Failed", reason="\x07", message="\x00<b>\x1b[2J"),
    "long": ended("Failed", reason="r" * 30_000, message="m" * 30_000),
    "details too big": {"outcome": "Failed", "ended_at": "1", "details": FIFTY_MB},
    "details too deep": {"outcome": "Failed", "ended_at": "9" * 400, "details": DEEP},
}


LOGGED = (
    "not text",
    "another's outcome",
    "too big",
)  # reported as malformed: they do not count as ends, and their jobs continue
MALFORMED_ENDS = (*LOGGED, "another type")


def running(jobs: Jobs, victims: dict[str, str], known: dict[str, str]) -> tuple[str, str] | None:
    """Return name and job id of a victim that runs and is not known yet."""
    for name in victims.keys() - known.keys():
        job = jobs.get(victims[name])
        if phase(job) == "Running":
            return name, job["metadata"]["uid"]
    return None


def test_hostile_results_and_ends_harm_no_other_job(
    system: System, jobs: Jobs, broker: redis.Redis, state: redis.Redis
) -> None:
    # No worker ends these jobs so early, and failures are not retried: each job ends with the value written here.
    spec = {"parameters": {"stepSeconds": 3}, "backoffLimit": 0}
    victims = {name: jobs.create(**spec) for name in HOSTILE_ENDS}
    ids: dict[str, str] = {}
    while len(ids) < len(victims):  # more than the worker runs at once, in any order
        name, ids[name] = wait_until(lambda: running(jobs, victims, ids), "a victim to run", timeout_seconds=90)
        end = HOSTILE_ENDS[name]
        if isinstance(end, dict):
            state.hset(f"job:{ids[name]}", mapping=end)
        else:
            state.set(f"job:{ids[name]}", end)
    others = [jobs.create() for _ in range(4)]
    malformed = [ids[name] for name in MALFORMED_ENDS]  # these continue
    for number, value in enumerate(HOSTILE_RESULTS.values()):
        key = f"celery-task-meta-{malformed[number % len(malformed)]}-1"
        broker.set(key, value)
        broker.publish(key, value[:100_000])

    log = system.processes["operator"].log
    for job_id in (ids[name] for name in LOGGED):
        wait_until(
            lambda text=f"Redis key job:{job_id} is malformed": text in log.read_text(),
            f"the operator to report that the end of {job_id} is malformed",
            timeout_seconds=60,
        )
    ends = {name: jobs.wait_finished(job)["status"] for name, job in victims.items()}
    long, command, other = (ends[name] for name in ("long", "a terminal's command", "wrong types"))
    assert long["phase"] == command["phase"] == "Failed"
    assert re.fullmatch(r"m{1024}\. See the worker's log: .*", long["failure"]["message"])
    assert re.fullmatch(r"r{10,256}…?", long["failure"]["reason"])
    assert command["failure"]["message"].startswith("\N{REPLACEMENT CHARACTER}<b>\N{REPLACEMENT CHARACTER}[2J.")
    # It has an outcome and a time, so it is a valid end; the other fields are dropped.
    assert (other["phase"], other["completionTime"], "outputs" in other) == ("Succeeded", "1970-01-01T00:00:00Z", False)
    assert [ends[name]["phase"] for name in MALFORMED_ENDS] == ["Succeeded"] * 4  # by their own work
    bare = ("half a character", "details too big", "details too deep")
    assert [ends[name]["phase"] for name in bare] == ["Failed"] * 3
    for status in ends.values():
        assert len(json.dumps(status)) < 20_000
        assert "\x1b" not in json.dumps(status, ensure_ascii=False)
    assert [jobs.wait_finished(name)["status"]["phase"] for name in others] == ["Succeeded"] * 4
    assert all(process.alive for process in system.processes.values())


def test_records_claims_and_indexes_of_any_type_are_replaced(jobs: Jobs, state: redis.Redis) -> None:
    victim = jobs.create()
    others = [jobs.create() for _ in range(2)]
    job_id = jobs.wait_phase(victim, "Running")["metadata"]["uid"]
    keys = [f"{kind}:{job_id}" for kind in ("job", "cleaned")]
    keys += [f"{kind}:{job_id}-1" for kind in ("claim", "alive", "end", "stop")]
    keys += [key for pattern in ("records:*", "fence:*", "worker:*") for key in state.keys(pattern)]
    for key in (*keys, "workers", "epoch"):
        with state.pipeline() as at_once:  # their owners write them again
            at_once.delete(key)
            at_once.lpush(key, "of another type")
            at_once.execute()

    assert [jobs.wait_finished(name)["status"]["phase"] for name in (*others, jobs.create())] == ["Succeeded"] * 3
    assert jobs.wait_finished(victim)["status"]["phase"] in ("Succeeded", "Failed")
