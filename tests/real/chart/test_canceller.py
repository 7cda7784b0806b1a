"""Canceller role: may cancel jobs and nothing else, by a role and an admission policy on fields, on a real API server."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster.waiting import wait_until
from tests.real.chart.release import Release

USER = "carol"
SETTLE_SECONDS = 60.0  # a new policy takes effect within a second or so


def patch(release: Release, body: dict[str, Any], *, user: str = USER) -> subprocess.CompletedProcess[str]:
    command = ["patch", "recon", "job", "--type=merge", "-p", json.dumps(body), f"--as={user}"]
    return release.cluster.kubectl("-n", release.namespace, *command, check=False)


def bind(release: Release, user: str, role: str) -> None:
    release.kubectl("create", "rolebinding", f"{user}-{role}", f"--clusterrole={role}", f"--user={user}")


@pytest.fixture(scope="module")
def policy(shared_release: Release) -> Release:
    """A release with the policy in effect, and the user carol with the role."""
    shared_release.install(rbac={"canceller": {"enabled": True}})
    shared_release.create_job("job")
    bind(shared_release, USER, "reconstruction-canceller")
    wait_until(
        # Another value each time: until the policy is in effect the label is accepted, and the same value is no change.
        lambda: "you may change" in patch(shared_release, {"metadata": {"labels": {"a": secrets.token_hex(3)}}}).stderr,
        "the policy to be in effect",
        timeout_seconds=SETTLE_SECONDS,
    )
    shared_release.kubectl("delete", "recon", "job")
    return shared_release


@pytest.fixture
def guarded(policy: Release) -> Iterator[Release]:
    """That release with a job. Other roles than that of carol are taken back."""
    policy.create_job("job", parameters={"quality": "fast"}, activeDeadlineSeconds=600)
    yield policy
    policy.kubectl("delete", "recon", "job")
    policy.kubectl("delete", "rolebindings", f"{USER}-reconstruction-editor", "--ignore-not-found")


def test_a_canceller_cancels_in_two_steps(guarded: Release) -> None:
    assert patch(guarded, {"spec": {"cancelRequested": True, "cancelReason": "wrong photos"}}).returncode == 0
    assert patch(guarded, {"spec": {"cancelConfirmed": True}}).returncode == 0


def test_a_canceller_withdraws_a_request(guarded: Release) -> None:
    assert patch(guarded, {"spec": {"cancelRequested": True}}).returncode == 0
    assert patch(guarded, {"spec": {"cancelRequested": False}}).returncode == 0


REFUSED: dict[str, dict[str, Any]] = {
    "another field": {"spec": {"suspend": True}},
    "a new field": {"spec": {"ttlSecondsAfterFinished": 5}},
    "another field beside a cancel": {"spec": {"cancelRequested": True, "backoffLimit": 9}},
    "a field taken away": {"spec": {"activeDeadlineSeconds": None}},
    "a label": {"metadata": {"labels": {"a": "b"}}},
    "an annotation": {"metadata": {"annotations": {"a": "b"}}},
    "a finalizer": {"metadata": {"finalizers": ["example.com/mine"]}},
}


def test_a_canceller_gets_a_reason_for_every_other_change(guarded: Release) -> None:
    for what, body in REFUSED.items():
        done = patch(guarded, body)
        assert done.returncode == 1, what
        assert "you may change" in done.stderr, what


def test_a_canceller_cannot_create_or_delete_jobs_or_write_their_status(guarded: Release) -> None:
    for verb, part in (("create", ""), ("delete", ""), ("deletecollection", ""), ("patch", "status")):
        done = guarded.cluster.kubectl(
            "-n", guarded.namespace, "auth", "can-i", verb, "reconstructionjobs.reconstruction.dev",
            f"--subresource={part}", f"--as={USER}", check=False,
        )  # fmt: skip
        assert done.stdout.strip() == "no", verb


def test_the_policy_does_not_restrict_an_editor(guarded: Release) -> None:
    bind(guarded, "erin", "reconstruction-editor")

    assert patch(guarded, {"spec": {"suspend": True}}, user="erin").returncode == 0


def test_a_user_with_both_roles_has_the_rights_of_an_editor(guarded: Release) -> None:
    bind(guarded, USER, "reconstruction-editor")

    assert patch(guarded, {"spec": {"suspend": True}}).returncode == 0


def test_the_policy_does_not_restrict_an_administrator(guarded: Release) -> None:
    guarded.kubectl("label", "recon", "job", "team=maps")


def test_the_policy_does_not_restrict_roles_without_the_verb_cancel(guarded: Release) -> None:
    guarded.kubectl("create", "role", "bot", "--verb=get,patch", "--resource=reconstructionjobs.reconstruction.dev")
    guarded.kubectl("create", "rolebinding", "bot", "--role=bot", "--user=bot")

    assert patch(guarded, {"spec": {"suspend": True}}, user="bot").returncode == 0
