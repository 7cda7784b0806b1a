"""Specs that the API server admits and the operator rejects: such jobs end as Failed, with a reason and advice."""

import re
from typing import Any

import pytest

from devcluster.harness.jobs import Jobs, condition, is_true


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        pytest.param({"input": {"uri": "s3://photos/banana"}}, "s3", id="a-store-that-is-not-enabled"),
        pytest.param({"output": {"uri": "s3://meshes/banana"}}, "s3", id="an-output-that-is-not-enabled"),
    ],
)
def test_a_rejected_job_fails_with_a_reason(jobs: Jobs, spec: dict[str, Any], named: str) -> None:
    job = jobs.wait_finished(jobs.create(**spec))

    assert job["status"]["phase"] == "Failed"
    accepted = condition(job, "Accepted")
    assert accepted["status"] == "False"
    assert accepted["reason"]
    assert is_true(job, "Failed")
    assert is_true(job, "Stalled")
    assert job["status"]["failure"]["reason"] == "INVALID_SPEC"
    assert re.search(named, job["status"]["failure"]["message"]), job["status"]["failure"]["message"]
