"""Flux's health checks of dashboards.md on real jobs: the API server evaluates the expressions, as a policy that denies
every change with their values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from reconstruction_operator.kube import paths

from devcluster import wait_until
from devcluster.errors import ApiError
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY

POLICIES = "/apis/admissionregistration.k8s.io/v1"
ACTIVE_SECONDS = 60.0  # until the API server enforces a new policy

Judge = Callable[[str, dict[str, Any]], str]


def health_check() -> dict[str, str]:
    """Return the expressions of the page."""
    page = (REPOSITORY / "docs" / "dashboards.md").read_text()
    kustomization = next(
        yaml.safe_load(block)
        for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
        if "healthCheckExprs" in block
    )
    (check,) = kustomization["spec"]["healthCheckExprs"]
    return {name: re.sub(r"\bstatus\.", "object.status.", check[name]) for name in ("failed", "current")}


@pytest.fixture
def judge(jobs: Jobs) -> Iterator[Judge]:
    """Return what the expressions say of a job after a merge patch of its status, which is not stored."""
    api, name = jobs.system.cluster.api, f"flux-{jobs.namespace}"
    says = "'failed: ' + string({failed}) + ', current: ' + string({current})".format(**health_check())
    rule = {
        "apiGroups": ["reconstruction.dev"],
        "apiVersions": ["v1alpha1"],
        "operations": ["UPDATE"],
        "resources": ["reconstructionjobs/status"],
    }
    denial = {"expression": "!(has(request.dryRun) && request.dryRun)", "messageExpression": says}
    spec: dict[str, Any] = {
        "matchConstraints": {
            "resourceRules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": jobs.namespace}},
        },
        "validations": [denial],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    made = (("validatingadmissionpolicies", spec), ("validatingadmissionpolicybindings", binding))
    for resource, content in made:
        api.post(f"{POLICIES}/{resource}", {"metadata": {"name": name}, "spec": content})

    def answer(job: str, status: dict[str, Any]) -> str:
        path = f"{paths.job(jobs.namespace, job)}/status?dryRun=All"
        try:
            api.patch(path, {"status": status})
        except ApiError as denial:
            return denial.message.partition("denied request: ")[2]
        return ""

    try:
        yield lambda job, status: wait_until(
            lambda: answer(job, status), "the policy to be enforced", timeout_seconds=ACTIVE_SECONDS
        )
    finally:
        for resource, _ in made:
            api.delete(f"{POLICIES}/{resource}/{name}")


def test_only_the_verdict_fine_is_current_and_every_other_end_failed(jobs: Jobs, judge: Judge) -> None:
    simulated = jobs.create()
    running = jobs.create_in("Running", queue="slow")
    cancelled = jobs.create(suspend=True)
    failed = jobs.create(modelType="photogrammetry", input={"uri": "file:///nowhere"})
    for name in (simulated, failed):
        jobs.wait_finished(name)
    jobs.cancel(cancelled)
    jobs.wait_phase(cancelled, "Cancelled")

    assert judge(simulated, {"verdict": "Fine"}) == "failed: false, current: true"
    assert {judge(name, {}) for name in (simulated, failed, cancelled)} == {"failed: true, current: false"}
    assert judge(running, {}) == "failed: false, current: false"
    assert judge(running, {"conditions": None, "verdict": None}) == "failed: false, current: false", (
        "at its first moment"
    )
