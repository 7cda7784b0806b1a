"""What a job waits for: column, message and condition name the same cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from kubectl_recon.diagnosis.waiting import ANSWERS
from reconstruction_operator.api.status import ConditionType, Failure, Phase, Status
from reconstruction_operator.planning.places import OVER_QUOTA, place
from reconstruction_operator.planning.status.reasons import CONDITION_REASONS
from reconstruction_operator.planning.status.waiting import Kind
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, QUEUED, RECORD, look, observed

LOST = Failure("WORKER_LOST", "Worker worker-1 stopped sending heartbeats", retriable=True)
TWICE_LOST = Status(phase=Phase.PENDING, attempt=3, failures=2, failure=LOST)


def test_a_job_in_quarantine_whose_model_no_worker_has_waits_for_the_model() -> None:
    text = "Waiting for a worker with model m: those of queue celery have no model"

    status = look(observed(workers=1, no_model=text), TWICE_LOST).status

    condition = status.condition(ConditionType.DISPATCHED)
    assert condition is not None
    assert (status.reason, condition.reason) == ("no model", "ModelUnserved")
    assert (status.message, condition.message) == (text, text)


NO_MODEL = "Waiting for a worker with model m: those of queue celery have no model"
SERVED = observed(workers=1)


@pytest.mark.parametrize(
    ("seen", "stored", "spec", "kind", "short", "sentence"),
    [
        pytest.param(SERVED, Status(), {"suspend": True}, Kind.SUSPENDED, "", "Suspended: ", id="suspended"),
        pytest.param(
            SERVED,
            replace(TWICE_LOST, next_attempt_time=NOW + timedelta(minutes=1)),
            {},
            Kind.BACKOFF,
            "after WORKER_LOST",
            "Attempt 3 of at most 3 starts at ",
            id="backoff",
        ),
        pytest.param(
            observed(no_model=NO_MODEL, place=place(1, paused=True)),
            TWICE_LOST,
            {},
            Kind.QUEUE_UNSERVED,
            "no worker",
            "Waiting for a worker: no live worker listens to queue celery",
            id="no worker comes before all that a worker would change",
        ),
        pytest.param(
            observed(SERVED, no_model=NO_MODEL, place=place(1, paused=True)),
            TWICE_LOST,
            {},
            Kind.MODEL_UNSERVED,
            "no model",
            NO_MODEL,
            id="a model that no worker has",
        ),
        pytest.param(
            observed(SERVED, place=place(1, paused=True)),
            TWICE_LOST,
            {},
            Kind.REDIS_FULL,
            "Redis full",
            "Waiting: Redis is nearly full, and nothing is sent to queue celery",
            id="memory of Redis",
        ),
        pytest.param(
            observed(SERVED, place=OVER_QUOTA),
            TWICE_LOST,
            {},
            Kind.QUARANTINE,
            "quarantine",
            "Waiting for its turn",
            id="quarantine",
        ),
        pytest.param(
            observed(SERVED, place=OVER_QUOTA),
            Status(),
            {},
            Kind.QUOTA,
            "quota",
            "Waiting: namespace team has",
            id="quota",
        ),
        pytest.param(
            observed(SERVED, place=place(17)),
            Status(),
            {},
            Kind.ROOM,
            "place 20",
            "Waiting for room in queue celery: place 20 or better",
            id="the window",
        ),
        pytest.param(
            SERVED, Status(), {}, Kind.ROOM, "", "Waiting for room in queue celery", id="a place that is not known"
        ),
        pytest.param(
            observed(record=RECORD),
            QUEUED,
            {},
            Kind.NO_WORKER,
            "no worker",
            "Waiting for a worker",
            id="a queue that lost its workers",
        ),
        pytest.param(
            observed(SERVED, record=RECORD), QUEUED, {}, Kind.WORKER, "", "Waiting in queue celery", id="busy workers"
        ),
    ],
)
def test_column_message_and_condition_name_the_first_cause(  # noqa: PLR0917  # a table
    seen: Observation, stored: Status, spec: dict[str, Any], kind: Kind, short: str, sentence: str
) -> None:
    status = look(seen, stored, **spec).status

    condition = status.condition(ConditionType.DISPATCHED)
    assert condition is not None
    assert (status.reason, condition.reason) == (short, kind)
    assert status.message.startswith(sentence)
    if kind not in (Kind.SUSPENDED, Kind.WORKER):  # whose condition says what became of the message
        assert condition.message == status.message


def test_each_kind_is_a_reason_of_the_condition_and_has_an_answer_of_why() -> None:
    reasons = {reason for kind, reason in CONDITION_REASONS if kind is ConditionType.DISPATCHED}
    assert reasons == {*Kind, "NotDispatched"}
    assert {*ANSWERS, Kind.SUSPENDED} == {*Kind}
