"""Canceller role of a release: its role and policy take effect. tests/real/security/test_roles.py tries all operations."""

import json
import secrets
import subprocess
from typing import Any

from devcluster.waiting import wait_until
from tests.real.chart.release import Release

SETTLE_SECONDS = 60.0  # a new policy takes effect within a second or so


def patch(release: Release, body: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = ["patch", "recon", "job", "--type=merge", "-p", json.dumps(body), "--as=carol"]
    return release.cluster.kubectl("-n", release.namespace, *command, check=False)


def test_a_release_installs_the_role_and_the_policy_of_cancellers(shared_release: Release) -> None:
    shared_release.install(rbac={"canceller": {"enabled": True}})
    shared_release.create_job("job")
    shared_release.kubectl("create", "rolebinding", "carol", "--clusterrole=reconstruction-canceller", "--user=carol")

    wait_until(
        # A new value each time: the label is accepted until the policy is in effect, and the same value is no change.
        lambda: "you may change" in patch(shared_release, {"metadata": {"labels": {"a": secrets.token_hex(3)}}}).stderr,
        "the policy to be in effect",
        timeout_seconds=SETTLE_SECONDS,
    )
    assert patch(shared_release, {"spec": {"cancelRequested": True}}).returncode == 0
    shared_release.kubectl("delete", "recon", "job")
