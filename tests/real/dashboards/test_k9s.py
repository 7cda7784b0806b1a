"""The commands behind the keys of k9s, run as k9s runs them: with its variables filled in, and no shell."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
import yaml

from devcluster.jobs import Jobs
from devcluster.programs import programs
from devcluster.system import REPOSITORY

pytestmark = pytest.mark.real

PLUGINS: dict[str, Any] = yaml.safe_load((REPOSITORY / "manifests/integrations/k9s/plugins.yaml").read_text())[
    "plugins"
]


def press(jobs: Jobs, name: str, key: str) -> subprocess.CompletedProcess[str]:
    """One key on one job."""
    (plugin,) = [one for one in PLUGINS.values() if one["shortCut"] == key]
    kubeconfig = jobs.system.cluster.kubeconfig
    context = yaml.safe_load(kubeconfig.read_text())["current-context"]
    arguments = [
        one.replace("$NAMESPACE", jobs.namespace).replace("$NAME", name).replace("$CONTEXT", context)
        for one in plugin["args"]
    ]
    assert plugin["command"] == "kubectl"
    assert not [one for one in arguments if "$" in one]
    return subprocess.run(
        [programs().kubectl, *arguments],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_job_is_suspended_and_resumed(jobs: Jobs) -> None:
    name = jobs.create(queue="slow")
    jobs.wait_phase(name, "Running")

    assert press(jobs, name, "Shift-S").returncode == 0
    jobs.wait_phase(name, "Suspended")
    assert press(jobs, name, "Shift-R").returncode == 0
    jobs.wait_phase(name, "Running")


def test_the_second_key_of_a_cancel_is_refused_before_the_first(jobs: Jobs) -> None:
    name = jobs.create(queue="slow")

    refused = press(jobs, name, "Ctrl-X")

    assert refused.returncode != 0
    assert "cancelConfirmed" in refused.stderr
    assert "cancelConfirmed" not in jobs.get(name)["spec"] or not jobs.get(name)["spec"]["cancelConfirmed"]


def test_a_cancel_is_announced_withdrawn_announced_and_confirmed(jobs: Jobs) -> None:
    name = jobs.create(queue="slow")
    jobs.wait_phase(name, "Running")

    for key in ("Shift-X", "Shift-W", "Shift-X", "Ctrl-X"):
        done = press(jobs, name, key)
        assert done.returncode == 0, done.stderr

    jobs.wait_phase(name, "Cancelled")
