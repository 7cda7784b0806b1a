"""Jobs as they are read from bodies of the API server."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.planning.types import Job

from tests.support.jobs import make_body


def job_with(parameters: dict[str, Any], **status: Any) -> Job:
    body = make_body(**status)
    body["spec"]["parameters"] = parameters
    key = objects.key_of(body)
    assert key is not None
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


def test_a_job_that_has_begun_keeps_its_parameters_whatever_is_wrong_with_its_spec() -> None:
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
    key = objects.key_of(body)
    assert key is not None
    assert objects.job_of(body, key).cancel_by == by
