"""Somebody who may write to Redis writes whatever he likes: his victims end, all other jobs succeed, and nothing falls over."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from devcluster import Cluster, Redis
from devcluster.jobs import Jobs
from devcluster.system import QUICK_SETTINGS, System

pytestmark = pytest.mark.real

FIFTY_MB = "x" * 50_000_000
DEEP = "[" * 200_000


@pytest.fixture(scope="module")
def system(cluster: Cluster) -> Iterator[System]:
    with Redis() as server, System(cluster, server, settings=QUICK_SETTINGS) as running:
        running.install()
        running.start_operator()
        running.start_worker(concurrency=8)
        yield running


@pytest.fixture
def broker(system: System) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(system.redis.url(0)) as client:
        yield client


@pytest.fixture
def state(system: System) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(system.redis.url(1)) as client:
        yield client


@pytest.fixture
def jobs(system: System, namespace: str) -> Jobs:
    return Jobs(system, namespace)


def progress(**meta: Any) -> str:
    return json.dumps({"status": "PROGRESS", "result": meta})


HOSTILE_RESULTS: dict[str, str | bytes] = {
    "no text": b"\xff\xfe\x00",
    "no json": "{",
    "a list": "[]",
    "too big": FIFTY_MB,
    "too deep": DEEP,
    "wrong types": progress(progress=[], step={}, stepIndex="3", fraction=True, startedAt="now", images=-1),
    "no number": '{"status": "PROGRESS", "result": {"progress": NaN, "fraction": Infinity, "startedAt": 1e999}}',
    "huge numbers": progress(progress=10**400, stepIndex=2**70, startedAt=10**300, images=2**80),
    "below zero": progress(progress=-5, step="s", stepIndex=-1),
    "terminals and pages": progress(progress=5, step="\x1b[2J\x00\ud800", message="<script>alert(1)</script>\n\r"),
    "half a character": '{"status": "PROGRESS", "result": {"progress": 1, "step": "\\ud800", "worker": "\\udfff"}}',
}
HOSTILE_ENDS: dict[str, str | bytes] = {
    "no text": b"\xff",
    "wrong types": json.dumps({"outcome": "Succeeded", "at": 1, "outputs": [], "inputs": 7, "quality": "x"}),
    "another's outcome": json.dumps({"outcome": "Deleted", "at": 1, "token": "x"}),
    "half a character": '{"outcome": "Failed", "at": 1, "reason": "\\ud800", "message": "\\udfff<b>\\u001b[2J"}',
    "long": json.dumps({"outcome": "Failed", "at": 1, "reason": "r" * 30_000, "message": "m" * 30_000}),
    "too big": FIFTY_MB,
}


def test_hostile_results_and_ends_harm_nobody_else(
    system: System, jobs: Jobs, broker: redis.Redis, state: redis.Redis
) -> None:
    victims = [jobs.create() for _ in range(6)]
    others = [jobs.create() for _ in range(4)]
    ids = [jobs.wait_phase(name, "Running", "Queued", "Succeeded")["metadata"]["uid"] for name in victims]
    for job_id in ids:
        for value in HOSTILE_RESULTS.values():
            broker.set(f"celery-task-meta-{job_id}-1", value)
            broker.publish(f"celery-task-meta-{job_id}-1", value[:100_000])
    for job_id, result, end in zip(ids, list(HOSTILE_RESULTS.values())[-6:], HOSTILE_ENDS.values(), strict=True):
        broker.set(f"celery-task-meta-{job_id}-1", result)
        state.set(f"end:{job_id}-1", end)

    assert [jobs.wait_finished(name)["status"]["phase"] for name in others] == ["Succeeded"] * 4
    for name in victims:
        status = jobs.wait_finished(name)["status"]
        assert len(json.dumps(status)) < 20_000
        assert "\x1b" not in json.dumps(status, ensure_ascii=False)
    assert all(process.alive for process in system.processes.values())


def test_records_claims_and_indexes_of_any_type_are_replaced(jobs: Jobs, state: redis.Redis) -> None:
    victim = jobs.create()
    others = [jobs.create() for _ in range(2)]
    job_id = jobs.wait_phase(victim, "Running")["metadata"]["uid"]
    keys = [f"{kind}:{job_id}" for kind in ("job", "cleaned")]
    keys += [f"{kind}:{job_id}-1" for kind in ("claim", "alive", "end", "stop")]
    keys += [key.decode() for pattern in ("records:*", "fence:*", "worker:*") for key in state.keys(pattern)]
    for key in (*keys, "workers", "epoch"):
        state.delete(key)
        state.lpush(key, "of another type")

    assert [jobs.wait_finished(name)["status"]["phase"] for name in (*others, jobs.create())] == ["Succeeded"] * 3
    assert jobs.wait_finished(victim)["status"]["phase"] in ("Succeeded", "Failed")


def message(body: bytes, content_type: str = "application/json", **headers: Any) -> str:
    task_id = str(uuid.uuid4())
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-type": content_type,
            "content-encoding": "utf-8",
            "headers": {"task": "reconstruction.process", "id": task_id} | headers,
            "properties": {
                "delivery_tag": task_id,
                "body_encoding": "base64",
                "delivery_info": {"exchange": "celery", "routing_key": "celery"},
            },
        }
    )


def envelope(**job: Any) -> bytes:
    return json.dumps([["victim", "placeholder"], {"job": {"version": 1, "attempt": 1} | job}, {}]).encode()


def test_hostile_messages_end_no_worker_and_run_no_code(
    system: System, jobs: Jobs, broker: redis.Redis, tmp_path: Path
) -> None:
    mark = tmp_path / "code-has-run"
    pickled = b"cos\nsystem\n(S'touch %b'\ntR." % bytes(mark)
    hostile: list[str | bytes] = [
        b"no json",
        b"\xff\xfe",
        "[]",
        "{}",
        DEEP,
        '{"body": 1, "headers": [], "properties": {}}',
        message(b"[]"),
        message(b"[[],{},{}]"),
        message(b"{", task="reconstruction.process"),
        message(b'[["../../etc"],{},{}]'),
        message(b'[[{"a": 1}, 7],{"job": []},{}]'),
        message(b"[[],{},{}]", task=["a list"], id={}),
        message(b"[[],{},{}]", task="os.system"),
        message(pickled, "application/x-python-serialize"),
        message(b"!!python/object/apply:os.system ['touch %b']" % bytes(mark), "application/x-yaml"),
        message(json.dumps([[FIFTY_MB], {}, {}]).encode()),
        message(envelope(version=99)),
        message(envelope(input_uri="file:///etc", parameters={"a": DEEP})),
    ]
    before = system.processes["worker"].pid
    broker.lpush("celery", *hostile)
    broker.publish("/0.celery.pidbox", b"[]")
    broker.publish("/0.celery.pidbox", b"\xff")

    assert jobs.wait_finished(jobs.create())["status"]["phase"] == "Succeeded"
    assert system.processes["worker"].alive
    assert system.processes["worker"].pid == before
    assert not mark.exists()


@pytest.mark.parametrize("key", ["celery", "celery-high", "_kombu.binding.celery", "unacked", "unacked_index"])
def test_a_key_of_the_broker_of_another_type_is_replaced(
    key: str, system: System, jobs: Jobs, broker: redis.Redis
) -> None:
    running = jobs.create()
    jobs.wait_phase(running, "Running")
    broker.delete(key)
    broker.set(key, "of another type")

    assert [jobs.wait_finished(name)["status"]["phase"] for name in (running, jobs.create())] == ["Succeeded"] * 2
    assert all(process.alive for process in system.processes.values())
