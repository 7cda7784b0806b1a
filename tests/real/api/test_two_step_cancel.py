"""Two-step cancel: all transitions of its two fields, from every state that can be stored."""

import json
from typing import Any

import pytest

from devcluster.harness.kubectl import CommandResult, Kubectl
from devcluster.harness.manifests import manifest

_NEITHER = (False, False)
_REQUESTED = (True, False)
_ONLY_CONFIRMED = (False, True)
_BOTH = (True, True)

_TWO_STEPS = (
    "spec.cancelConfirmed: Forbidden: a cancel takes two steps: set cancelRequested: true first and apply that, "
    "then set cancelConfirmed: true"
)
_AT_ONCE = (
    "spec.cancelConfirmed: Forbidden: a cancel takes two steps: this change makes both at once. "
    "Apply cancelRequested: true alone first, then set cancelConfirmed: true"
)
_FINAL = "spec.cancelConfirmed: Forbidden: the cancel is confirmed, which is final: create a new job to run this again"
_NEW = "denied request: a new job cannot be cancelled already"
_HALF = "spec.cancelRequested: Forbidden: a confirmed cancel has cancelRequested: true as well"
_RESTORED = {"annotations": {"reconstruction.dev/restored": "true"}}

# (requested, confirmed) before and after, and the message; None: accepted
_TRANSITIONS = [
    pytest.param(_NEITHER, _NEITHER, None, id="nothing-to-nothing"),
    pytest.param(_NEITHER, _REQUESTED, None, id="step-one"),
    pytest.param(_NEITHER, _ONLY_CONFIRMED, _TWO_STEPS, id="a-confirmation-without-a-request"),
    pytest.param(_NEITHER, _BOTH, _AT_ONCE, id="both-at-once"),
    pytest.param(_REQUESTED, _NEITHER, None, id="withdrawn"),
    pytest.param(_REQUESTED, _REQUESTED, None, id="still-requested"),
    pytest.param(_REQUESTED, _ONLY_CONFIRMED, _TWO_STEPS, id="confirmed-and-withdrawn-at-once"),
    pytest.param(_REQUESTED, _BOTH, None, id="step-two"),
    pytest.param(_BOTH, _NEITHER, _FINAL, id="all-taken-back"),
    pytest.param(_BOTH, _REQUESTED, _FINAL, id="the-confirmation-taken-back"),
    pytest.param(_BOTH, _ONLY_CONFIRMED, _FINAL, id="the-request-taken-back"),
    pytest.param(_BOTH, _BOTH, None, id="still-cancelled"),
]


def bring(kubectl: Kubectl, state: tuple[bool, bool]) -> str:
    """A job in that state, reached by allowed changes."""
    name = kubectl.create()
    requested, confirmed = state
    if requested:
        assert kubectl.change(name, cancelRequested=True).accepted
    if confirmed:
        assert kubectl.change(name, cancelConfirmed=True).accepted
    return name


def stored(kubectl: Kubectl, name: str) -> tuple[bool, bool]:
    spec = kubectl.get(name)["spec"]
    return spec["cancelRequested"], spec["cancelConfirmed"]


@pytest.mark.parametrize(("before", "after", "refusal"), _TRANSITIONS)
def test_a_transition_is_accepted_or_rejected_with_one_message(
    kubectl: Kubectl, before: tuple[bool, bool], after: tuple[bool, bool], refusal: str | None
) -> None:
    name = bring(kubectl, before)

    answer = kubectl.change(name, cancelRequested=after[0], cancelConfirmed=after[1])

    assert answer.accepted == (refusal is None), answer.text
    assert stored(kubectl, name) == (before if refusal else after)
    assert (refusal or "") in answer.text
    assert answer.text.count("Forbidden") == (1 if refusal else 0)


@pytest.mark.parametrize("removed", [["cancelRequested"], ["cancelConfirmed"], ["cancelRequested", "cancelConfirmed"]])
def test_removing_the_fields_does_not_revoke_a_confirmed_cancel(kubectl: Kubectl, removed: list[str]) -> None:
    name = bring(kubectl, _BOTH)

    answer = kubectl.change(name, **dict.fromkeys(removed))

    assert _FINAL in answer.text
    assert stored(kubectl, name) == _BOTH


def test_removing_the_request_withdraws_it(kubectl: Kubectl) -> None:
    name = bring(kubectl, _REQUESTED)

    assert kubectl.change(name, cancelRequested=None).accepted
    assert stored(kubectl, name) == _NEITHER


def create(kubectl: Kubectl, state: tuple[bool, bool], **metadata: Any) -> CommandResult:
    body = manifest(cancelRequested=state[0], cancelConfirmed=state[1])
    return kubectl("create", "-f", "-", text=json.dumps(body | {"metadata": body["metadata"] | metadata}))


@pytest.mark.parametrize("metadata", [{}, {"labels": {"velero.io/backup-name": "nightly"}}], ids=["plain", "labelled"])
@pytest.mark.parametrize(
    ("state", "refusal"),
    [(_REQUESTED, _NEW), (_ONLY_CONFIRMED, _HALF), (_BOTH, _NEW)],
    ids=["requested", "half", "both"],
)
def test_no_job_is_created_with_a_cancel(
    kubectl: Kubectl, state: tuple[bool, bool], refusal: str, metadata: dict[str, Any]
) -> None:
    answer = create(kubectl, state, **metadata)

    assert not answer.accepted
    assert refusal in answer.text


@pytest.mark.parametrize("state", [_REQUESTED, _BOTH], ids=["requested", "confirmed"])
@pytest.mark.parametrize(
    "metadata", [_RESTORED, {"labels": {"velero.io/restore-name": "after-the-fire"}}], ids=["annotation", "velero"]
)
def test_a_restored_job_is_created_with_its_cancel_which_stays_final(
    kubectl: Kubectl, state: tuple[bool, bool], metadata: dict[str, Any]
) -> None:
    assert create(kubectl, state, **metadata).accepted

    assert stored(kubectl, "job") == state
    assert kubectl.change("job", cancelRequested=False, cancelConfirmed=False).accepted is (state == _REQUESTED)


def test_a_restored_job_with_half_a_cancel_is_rejected(kubectl: Kubectl) -> None:
    answer = create(kubectl, _ONLY_CONFIRMED, **_RESTORED)

    assert _HALF in answer.text
    assert not answer.accepted


_ALONE = "spec.cancelReason: Forbidden: cancelReason goes with cancelRequested: true alone"
_FIXED = "spec.cancelReason: Forbidden: the cancel is confirmed, and its reason is fixed since then"
_LINE = "a reason is one line of text"


@pytest.mark.parametrize(
    ("before", "change", "refusal"),
    [
        pytest.param(_NEITHER, {"cancelReason": "wrong"}, _ALONE, id="without-a-request"),
        pytest.param(_NEITHER, {"cancelRequested": True, "cancelReason": "wrong"}, None, id="with-the-request"),
        pytest.param(_REQUESTED, {"cancelReason": "ü" * 256}, None, id="the-longest"),
        pytest.param(_REQUESTED, {"cancelReason": "a" * 257}, "Too long", id="too-long"),
        pytest.param(_REQUESTED, {"cancelReason": "one\ntwo"}, _LINE, id="two-lines"),
        pytest.param(_REQUESTED, {"cancelReason": "\x9b2J"}, _LINE, id="a-c1-control"),
        pytest.param(_REQUESTED, {"cancelReason": "a\u202eb\u2069"}, _LINE, id="a-turned-direction"),
        pytest.param(_REQUESTED, {"cancelConfirmed": True, "cancelReason": "wrong"}, None, id="with-the-confirmation"),
        pytest.param(_BOTH, {"cancelReason": "wrong"}, _FIXED, id="after-the-confirmation"),
    ],
)
def test_a_reason_comes_with_a_request_and_is_fixed_by_the_confirmation(
    kubectl: Kubectl, before: tuple[bool, bool], change: dict[str, Any], refusal: str | None
) -> None:
    name = bring(kubectl, before)

    answer = kubectl.change(name, **change)

    assert answer.accepted == (refusal is None), answer.text
    assert (refusal or "") in answer.text
    assert kubectl.get(name)["spec"].get("cancelReason") == (None if refusal else change["cancelReason"])


def test_a_withdrawal_takes_the_reason_with_it(kubectl: Kubectl) -> None:
    name = bring(kubectl, _REQUESTED)
    assert kubectl.change(name, cancelReason="wrong photos").accepted

    assert _ALONE in kubectl.change(name, cancelRequested=False).text
    assert kubectl.change(name, cancelRequested=False, cancelReason=None).accepted


def test_a_confirmed_reason_is_neither_changed_nor_removed(kubectl: Kubectl) -> None:
    name = bring(kubectl, _REQUESTED)
    assert kubectl.change(name, cancelConfirmed=True, cancelReason="wrong photos").accepted

    for reason in ("other", None):
        assert _FIXED in kubectl.change(name, cancelReason=reason).text
    taken_back = kubectl.change(name, cancelRequested=False, cancelConfirmed=False)
    assert _FINAL in taken_back.text
    assert taken_back.text.count("Forbidden") == 1


def test_a_finished_job_may_be_requested_to_cancel(kubectl: Kubectl) -> None:
    name = kubectl.create()
    kubectl.report(name, phase="Succeeded")

    assert kubectl.change(name, cancelRequested=True).accepted
