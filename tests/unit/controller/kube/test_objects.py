"""Objects: jobs decoded from bodies of the API server."""

from __future__ import annotations

import gc
import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Condition, Failure, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.kube import parsing
from reconstruction_operator.planning.types import Job, Observation

from tests.support.jobs import make_body, make_job
from tests.support.plans import NOW, TIMING, in_record, observed, plan


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

    assert [text.startswith(problem) for text in job.problems] == [True]
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


CANCELS = {"cancelRequested": True}
BY_ARGO = "argocd-server (Update, 2026-03-01T12:00:00Z)"


@pytest.mark.parametrize(
    ("spec", "managed", "by"),
    [
        pytest.param({}, [REQUESTED], "", id="no cancel"),
        pytest.param(CANCELS, [CREATED, REQUESTED], BY_ARGO, id="requested"),
        pytest.param(
            CANCELS, [APPLIED, REQUESTED], "flux (Apply, 2026-03-01T12:10:00Z)", id="the newest of two owners"
        ),
        pytest.param(
            CANCELS | {"cancelConfirmed": True},
            [CONFIRMED, APPLIED],
            "kubectl-patch (Update, 2026-03-01T12:05:00Z)",
            id="confirmed",
        ),
        pytest.param({"withdrawn": True}, [REQUESTED], BY_ARGO, id="withdrawn"),
        pytest.param(CANCELS, [CREATED], "", id="no owner"),
        pytest.param(CANCELS, [7, {"fieldsV1": []}, {"fieldsV1": {"f:spec": 1}}], "", id="malformed"),
        pytest.param(CANCELS, None, "", id="none"),
        pytest.param(
            CANCELS,
            [owner("x" * 5000, "y" * 5000, "cancelRequested")],
            f"{'x' * 128} (Update, {'y' * 128})",
            id="bounded",
        ),
    ],
)
def test_the_client_that_wrote_a_step_of_a_cancel_is_known(spec: dict[str, Any], managed: object, by: str) -> None:
    body = make_body(**({"cancel": {"requestedAt": "2026-03-01T12:00:00Z"}} if "withdrawn" in spec else {}))
    body["spec"] |= spec
    body["metadata"]["managedFields"] = managed
    key = parsing.key_of(body)
    assert objects.job_of(body, key).cancel_by == by


RECORD = Record(in_record(), NOW - timedelta(seconds=90))
CLAIM = Claim("token", "worker-1", by_operator=False, at=NOW - timedelta(seconds=80))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.finished])
@pytest.mark.parametrize("ttl_seconds", [None, 1, 1_000])
@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(observed(), id="redis-lost-all"),
        pytest.param(observed(epoch_age_seconds=0.0), id="redis-just-lost-all"),
        pytest.param(observed(record=RECORD, claim=CLAIM, requested=True, confirmed=True), id="redis-lost-the-end"),
        pytest.param(observed(record=RECORD, claim=CLAIM, end=End(Outcome.FAILED, at=NOW)), id="files-left"),
        pytest.param(observed(record=replace(RECORD, cleaned=True)), id="cleaned"),
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


@pytest.mark.parametrize(("generation", "message"), [(1, ""), (2, "It is over.")], ids=["finished", "edited"])
def test_a_finished_job_has_its_whole_status_only_if_its_spec_was_edited(generation: int, message: str) -> None:
    body = make_body(phase="Succeeded", observedGeneration=1, message="It is over.", worker="worker-1")
    body["metadata"]["generation"] = generation

    status = objects.job_of(body, parsing.key_of(body)).status

    assert (status.message, status.worker) == (message, "worker-1")


def test_jobs_that_wait_share_equal_conditions() -> None:
    statuses = [
        Status(phase=Phase.PENDING, message=f"place {place}", conditions=(Condition("Accepted", "True", "Valid", at),))
        for place, at in enumerate(("in time", "in time", "late"))
    ]

    first, second, third = (objects.compact(make_job(status)).status for status in statuses)

    assert [first, second, third] == statuses
    assert first.conditions[0] is second.conditions[0] is not third.conditions[0]


def test_a_finished_job_takes_little_memory() -> None:
    """About 900 bytes on 64 bits; its body has some thousand, and its decoded form has more."""
    cache = Cache()
    conditions = [{"type": f"T{kind}", "status": "True", "reason": "x", "message": "y" * 50} for kind in range(11)]
    fields = {
        "phase": "Succeeded",
        "observedGeneration": 1,
        "attempt": 1,
        "worker": "worker@host",
        "message": "x" * 500,
        "conditions": conditions,
    }
    texts = []
    for index in range(2_000):
        time = f"2026-03-01T12:{index // 60:02}:{index % 60:02}Z"
        uid = f"00000000-0000-0000-0000-{index:012}"
        body = make_body(f"job-{index:06}", uid=uid, dispatchTime=time, completionTime=time, **fields)
        texts.append(json.dumps(body).encode())
    gc.collect()
    tracemalloc.start()
    for text in texts:
        cache.put(parsing.parse(text))
    gc.collect()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert used / len(texts) < 1_500


@pytest.mark.parametrize("ended", ["2026-01-01T01:00:00Z", "2026-01-01T01:00:00", "2026-01-01T01:00:00+02:00", "soon"])
def test_the_short_decoder_of_finished_jobs_agrees_with_the_whole_one(ended: str) -> None:
    """The API server also accepts times without a zone, which cannot be compared with others."""
    metadata = {"namespace": "n", "name": "a", "uid": "u", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
    told = [{"kind": "Fine", "attempt": 1, "time": ended, "state": state} for state in ("Sent", "Pending")]
    status = {"phase": "Succeeded", "observedGeneration": 1, "worker": "w", "completionTime": ended}
    status["notifications"] = told
    body = json.dumps({"metadata": metadata, "spec": {"queue": "gpu"}, "status": status}).encode()
    head = parsing.head(body)
    assert head is not None

    job = objects.decode(body, head)

    assert job == objects.job_of(parsing.mapping(body), head.key)
    assert [one.state for one in job.status.notifications] == ["Pending"]
    assert job.status.completion_time is None or job.status.completion_time.tzinfo is not None
