"""Objects: jobs decoded from bodies of the API server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Cancel, Condition, Failure, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.kube import parsing
from reconstruction_operator.planning.plan import plan
from reconstruction_operator.planning.types import Job, Observation

from tests.support.jobs import make_body, make_job, make_key
from tests.support.plans import NOW, TIMING


def job_with(parameters: dict[str, Any], **status: Any) -> Job:
    body = make_body(**status)
    body["spec"]["parameters"] = parameters
    key = parsing.key_of(body)
    return objects.job_of(body, key)


def test_a_job_keeps_its_parameters_until_it_is_finished() -> None:
    assert job_with({"quality": "fast"}, phase="Running").spec.parameters == {"quality": "fast"}
    assert job_with({"quality": "fast"}, phase="Succeeded").spec.parameters == {}


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        pytest.param({"a": "x" * 1_000_000}, "spec.parameters has 1000008 bytes of JSON", id="large"),
        pytest.param({"a": [[[[[[[[[[1]]]]]]]]]]}, "spec.parameters is nested more than 8 deep", id="deep"),
    ],
)
def test_a_rejected_job_keeps_the_problem_and_no_parameters(parameters: dict[str, Any], problem: str) -> None:
    job = job_with(parameters)

    assert [one.startswith(problem) for one in job.problems] == [True]
    assert job.spec.parameters == {}


def test_a_started_job_keeps_its_parameters_despite_mistakes_in_its_spec() -> None:
    parameters = {"a": "x" * 20_000}

    assert job_with(parameters, phase="Pending", attempt=2).spec.parameters == parameters


def owner(manager: str, time: str, *fields: str, operation: str = "Update") -> dict[str, Any]:
    spec = {f"f:{field}": {} for field in fields}
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": {"f:spec": spec}}


CREATED = owner("kubectl-create", "2026-03-01T11:00:00Z", "input", "suspend")
REQUESTED = owner("argocd-server", "2026-03-01T12:00:00Z", "cancelRequested")
CONFIRMED = owner("kubectl-patch", "2026-03-01T12:05:00Z", "cancelConfirmed")
APPLIED = owner("flux", "2026-03-01T12:10:00Z", "cancelRequested", operation="Apply")


@pytest.mark.parametrize(
    ("spec", "status", "managed", "by"),
    [
        pytest.param({}, {}, [REQUESTED], "", id="no cancel"),
        pytest.param(
            {"cancelRequested": True},
            {},
            [CREATED, REQUESTED],
            "argocd-server (Update, 2026-03-01T12:00:00Z)",
            id="requested",
        ),
        pytest.param(
            {"cancelRequested": True},
            {},
            [APPLIED, REQUESTED],
            "flux (Apply, 2026-03-01T12:10:00Z)",
            id="the newest of two owners",
        ),
        pytest.param(
            {"cancelRequested": True, "cancelConfirmed": True},
            {},
            [CONFIRMED, APPLIED],
            "kubectl-patch (Update, 2026-03-01T12:05:00Z)",
            id="confirmed",
        ),
        pytest.param(
            {},
            {"cancel": {"requestedAt": "2026-03-01T12:00:00Z"}},
            [REQUESTED],
            "argocd-server (Update, 2026-03-01T12:00:00Z)",
            id="withdrawn",
        ),
        pytest.param({"cancelRequested": True}, {}, [CREATED], "", id="no owner"),
        pytest.param(
            {"cancelRequested": True}, {}, [7, {"fieldsV1": []}, {"fieldsV1": {"f:spec": 1}}], "", id="malformed"
        ),
        pytest.param({"cancelRequested": True}, {}, None, "", id="none"),
        pytest.param(
            {"cancelRequested": True},
            {},
            [owner("x" * 5000, "y" * 5000, "cancelRequested")],
            f"{'x' * 128} (Update, {'y' * 128})",
            id="bounded",
        ),
    ],
)
def test_the_client_that_wrote_a_step_of_a_cancel_is_known(
    spec: dict[str, Any], status: dict[str, Any], managed: object, by: str
) -> None:
    body = make_body(**status)
    body["spec"] |= spec
    body["metadata"]["managedFields"] = managed
    key = parsing.key_of(body)
    assert objects.job_of(body, key).cancel_by == by


RECORD = Record("install", "team", "banana", 1, "celery", NOW - timedelta(seconds=90))
CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(seconds=80))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.finished])
@pytest.mark.parametrize("ttl_seconds", [None, 1, 1_000])
@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(Observation(), id="redis-lost-all"),
        pytest.param(Observation(epoch_age_seconds=0.0), id="redis-just-lost-all"),
        pytest.param(Observation(record=RECORD, claim=CLAIM, requested=True, confirmed=True), id="redis-lost-the-end"),
        pytest.param(Observation(record=RECORD, claim=CLAIM, end=End(Outcome.FAILED, at=NOW)), id="files-left"),
        pytest.param(Observation(record=RECORD, cleaned=True), id="cleaned"),
    ],
)
def test_a_compact_job_is_cleaned_up_like_the_whole_one(
    phase: Phase, ttl_seconds: int | None, seen: Observation
) -> None:
    status = Status(
        observed_generation=1,
        phase=phase,
        attempt=1,
        worker="worker-1",
        message="It is over.",
        dispatch_time=NOW - timedelta(seconds=90),
        completion_time=NOW - timedelta(seconds=60),
        failure=Failure("TIMEOUT", "too long"),
        conditions=(Condition("Finished", "True", str(phase)),),
    )
    whole = make_job(status, spec=Spec(ttl_seconds_after_finished=ttl_seconds, parameters={"quality": "fast"}))
    compact = objects.compact(whole)

    plans = [plan(job, seen, NOW, TIMING, admitted=False) for job in (whole, compact)]

    assert compact.status.conditions == ()
    assert (plans[0].actions, plans[0].wake_at) == (plans[1].actions, plans[1].wake_at)
    assert [plans[0].status, plans[1].status] == [whole.status, compact.status]


@pytest.mark.parametrize(
    "status",
    [Status(phase=Phase.RUNNING), Status(phase=Phase.SUCCEEDED, observed_generation=0)],
    ids=["lives", "edited"],
)
def test_a_job_whose_status_is_to_be_written_is_not_compact(status: Status) -> None:
    job = make_job(status)
    assert objects.compact(job) is job


def test_jobs_that_wait_share_equal_conditions() -> None:
    statuses = [
        Status(phase=Phase.PENDING, message=f"place {place}", conditions=(Condition("Accepted", "True", "Valid", at),))
        for place, at in enumerate(("in time", "in time", "late"))
    ]

    first, second, third = (objects.compact(make_job(status)).status for status in statuses)

    assert [first, second, third] == statuses
    assert first.conditions[0] is second.conditions[0] is not third.conditions[0]


STARTED = Status(
    observed_generation=1, phase=Phase.RUNNING, attempt=1, worker="w", start_time=NOW.replace(microsecond=0)
)
WRITTEN = [
    pytest.param(Status(observed_generation=1, phase=Phase.QUEUED, attempt=1, task_id="uid-banana-1"), id="queued"),
    pytest.param(STARTED, id="running"),
    pytest.param(
        Status(
            observed_generation=1,
            phase=Phase.SUCCEEDED,
            attempt=1,
            worker="w",
            conditions=(Condition("Complete", "True", "Succeeded", "why", NOW.replace(microsecond=0), 1),),
        ),
        id="succeeded",
    ),
]


def answer(status: Status, **metadata: Any) -> dict[str, Any]:
    body = make_body(version=8, **codec.encode(status))
    return {**body, "metadata": {**body["metadata"], **metadata}}


def before() -> Job:
    body = make_body(version=7, phase="Queued", attempt=1)
    body["spec"]["parameters"] = {"quality": "fast"}
    return objects.job_of(body, make_key())


@pytest.mark.parametrize("status", WRITTEN)
def test_the_response_to_a_write_gives_the_same_job_as_its_body(status: Status) -> None:
    body = answer(status)
    body["spec"]["parameters"] = {"quality": "fast"}

    assert objects.written(before(), body, status, codec.encode(status)) == objects.job_of(body, make_key())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(answer(STARTED, generation=2), id="its spec was edited"),
        pytest.param(answer(STARTED, deletionTimestamp="2026-03-01T12:00:00Z"), id="it is being deleted"),
        pytest.param(answer(STARTED, uid="another"), id="it is another object"),
        pytest.param(answer(replace(STARTED, worker=None)), id="the server dropped a field"),
    ],
)
def test_a_response_that_shows_other_changes_is_decoded(body: dict[str, Any]) -> None:
    assert objects.written(before(), body, STARTED, codec.encode(STARTED)) is None


@pytest.mark.parametrize(
    ("job", "status"),
    [
        pytest.param(before(), replace(STARTED, cancel=Cancel(requested_at=NOW.replace(microsecond=0))), id="a cancel"),
        pytest.param(replace(before(), cancel_by="kubectl"), STARTED, id="a cancel that was withdrawn"),
        pytest.param(replace(before(), problems=("wrong",)), STARTED, id="a spec with mistakes"),
        pytest.param(
            replace(before(), generation=2),
            replace(STARTED, phase=Phase.SUCCEEDED, observed_generation=1),
            id="a finished job whose spec was edited",
        ),
    ],
)
def test_a_response_whose_job_depends_on_the_body_is_decoded(job: Job, status: Status) -> None:
    body = answer(status, generation=job.generation)
    assert objects.written(job, body, status, codec.encode(status)) is None
