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
