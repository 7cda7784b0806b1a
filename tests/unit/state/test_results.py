"""Celery's results: any content is read as a report or ignored. With a real Celery and Redis: tests/real/state."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import fakeredis
import pytest
from reconstruction_operator.api.attempt_status import Inputs, StepTime
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.records import ProgressReport
from reconstruction_operator.state import fields, results

from tests.support.settings import configure

NOTHING = ProgressReport(0, "", 0, 0.0, None, None)
WRONG = {
    "progress": 1e9,
    "step": ["x"],
    "stepIndex": 17,
    "fraction": float("nan"),
    "startedAt": "yesterday",
    "at": 1e300,
    "message": "m" * 5_000,
    "worker": None,
    "findings": {
        "inputs": {"images": -1},
        "steps": [{"name": "x", "seconds": -1}] * 20,
        "resumedFrom": 7,
        "quality": [12],
    },
    "base": "much",
    "remaining": "long",
}
FINDINGS = Findings(Inputs(), (StepTime("x", 0),) * 16)


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as opened:
        yield opened


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "7",
        '{"status": "PROGRESS"}',
        '{"status": "PROGRESS", "result": 7}',
        '{"status": ["PROGRESS"], "result": {}}',
    ],
)
async def test_a_malformed_report_is_left_out(client: Any, text: str) -> None:
    await client.set("celery-task-meta-job-1", text)
    assert await results.read(client, ["job-1"]) == {}


async def test_no_tasks_need_no_redis() -> None:
    nowhere: Any = fakeredis.FakeAsyncRedis(connected=False)

    assert await results.read(nowhere, []) == {}


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        pytest.param("", "celery-task-meta-job-1", id="none"),
        pytest.param("team-a", "team-a_celery-task-meta-job-1", id="Celery puts a line between"),
        pytest.param("team-a:", "team-a:celery-task-meta-job-1", id="a prefix with its own end"),
    ],
)
def test_a_result_is_read_where_celery_writes_it(prefix: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, REDIS_KEY_PREFIX=prefix)

    assert results.result_key("job-1") == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param({"progress": -5}, {"percent": 0}, id="below zero"),
        pytest.param({"progress": 43.7}, {"percent": 43.7}, id="tenths"),
        pytest.param({"progress": True}, {"percent": 0}, id="a boolean is no number"),
        pytest.param({"fraction": 1e400}, {"fraction": 1.0}, id="infinite"),
        pytest.param({"progress": 10**400, "startedAt": 10**400}, {"percent": 100}, id="more than any float"),
        pytest.param({"remaining": 61.5}, {"remaining_seconds": 61.5}, id="what the model expects to remain"),
        pytest.param({"remaining": -1}, {"remaining_seconds": None}, id="no time remains for less than nothing"),
        pytest.param({"stepIndex": 6}, {"step_index": 6}, id="the last step"),
        pytest.param({"stepIndex": 2.0}, {"step_index": 0}, id="a step is a whole number"),
        pytest.param({"at": 0}, {"at": datetime(1970, 1, 1, tzinfo=UTC)}, id="a time in seconds"),
        pytest.param(
            {"findings": {"inputs": {"images": 12}}}, {"findings": Findings(Inputs(12))}, id="what a run found"
        ),
        pytest.param({"findings": [7]}, {"findings": Findings()}, id="no findings"),
        pytest.param(WRONG, {"percent": 100, "message": "m" * 1_024, "findings": FINDINGS}, id="wrong and too large"),
    ],
)
async def test_each_part_of_a_report_is_read_for_itself(
    part: dict[str, object], expected: dict[str, object], client: Any
) -> None:
    await client.set("celery-task-meta-job-1", json.dumps({"status": "PROGRESS", "result": part}))

    assert await results.read(client, ["job-1"]) == {"job-1": replace(NOTHING, **expected)}


async def test_a_report_beyond_the_limit_is_not_read(client: Any) -> None:
    meta = {"progress": 5, "junk": "x" * fields.MAX_VALUE_BYTES}
    await client.set("celery-task-meta-job-1", json.dumps({"status": "PROGRESS", "result": meta}))

    assert await results.read(client, ["job-1"]) == {}
