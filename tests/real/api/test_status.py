"""Status on a real API server: who may write it, which changes are rejected, and its stored default."""

import json
from datetime import UTC, datetime

import pytest
from reconstruction_operator.api import codec, fitting
from reconstruction_operator.api.attempt_status import Inputs, Progress
from reconstruction_operator.api.identity import MAX_ATTEMPT
from reconstruction_operator.api.status import (
    Cancel,
    Condition,
    ConditionType,
    Failure,
    OutputFile,
    Outputs,
    Phase,
    Status,
)

from devcluster.harness.kubectl import Kubectl
from devcluster.harness.manifests import manifest

_FINISHED = [phase for phase in Phase if phase.finished]
_UNFINISHED = [phase for phase in Phase if not phase.finished]
_AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
_NEVER_CHANGES = "status.phase: Forbidden: the job is finished, and its phase never changes again"
_NEVER_DECREASES = "status.attempt: Forbidden: the number of the attempt never falls"


def test_a_new_job_has_the_generation_minus_one(kubectl: Kubectl) -> None:
    name = kubectl.create()

    assert kubectl.get(name)["status"] == {"observedGeneration": -1}


def test_a_status_in_a_manifest_is_ignored(kubectl: Kubectl) -> None:
    text = json.dumps(manifest() | {"status": {"phase": "Succeeded", "attempt": 7}})

    assert kubectl("apply", "-f", "-", text=text).accepted
    assert kubectl.get("job")["status"] == {"observedGeneration": -1}


def test_a_status_write_changes_neither_spec_nor_generation(kubectl: Kubectl) -> None:
    name = kubectl.create()

    answer = kubectl.patch(f"{name}/status", {"spec": {"suspend": True}, "status": {"phase": "Pending"}})

    assert answer.accepted
    job = kubectl.get(name)
    assert job["spec"]["suspend"] is False
    assert job["metadata"]["generation"] == 1
    assert job["status"]["phase"] == "Pending"


def test_an_attempt_that_no_message_can_have_is_rejected(kubectl: Kubectl) -> None:
    name = kubectl.create()

    assert (
        f"Invalid value: 2147483647: attempt in body should be less than or equal to {MAX_ATTEMPT}"
        in kubectl.report(name, attempt=2**31 - 1).text
    )
    assert kubectl.report(name, attempt=MAX_ATTEMPT).accepted


@pytest.mark.parametrize("after", [*Phase, None])
@pytest.mark.parametrize("before", _FINISHED)
def test_a_finished_phase_never_changes(kubectl: Kubectl, before: Phase, after: Phase | None) -> None:
    name = kubectl.create()
    assert kubectl.report(name, phase=before).accepted

    answer = kubectl.report(name, phase=after)

    assert answer.accepted == (before is after)
    assert (before is after) or _NEVER_CHANGES in answer.text
    assert kubectl.get(name)["status"]["phase"] == before


@pytest.mark.parametrize("before", _UNFINISHED)
def test_an_unfinished_phase_may_change_to_any(kubectl: Kubectl, before: Phase) -> None:
    name = kubectl.create()
    assert kubectl.report(name, phase=before).accepted

    answers = {after: kubectl.report(name, phase=after) for after in [*_UNFINISHED, before, Phase.SUCCEEDED]}

    assert [after for after, answer in answers.items() if not answer.accepted] == []


def test_other_fields_of_a_finished_job_may_change(kubectl: Kubectl) -> None:
    name = kubectl.create()
    kubectl.report(name, phase="Failed")

    assert kubectl.report(name, message="its files are deleted").accepted


@pytest.mark.parametrize(
    ("before", "after", "accepted"),
    [
        pytest.param(1, 1, True, id="the-same"),
        pytest.param(1, 2, True, id="the-next"),
        pytest.param(1, 5, True, id="several-later"),
        pytest.param(2, 1, False, id="one-back"),
        pytest.param(2, 0, False, id="to-zero"),
        pytest.param(2, None, False, id="removed"),
    ],
)
def test_the_attempt_never_decreases(kubectl: Kubectl, before: int, after: int | None, accepted: bool) -> None:
    name = kubectl.create()
    assert kubectl.report(name, attempt=before).accepted

    answer = kubectl.report(name, attempt=after)

    assert answer.accepted == accepted
    assert accepted or _NEVER_DECREASES in answer.text


def test_the_whole_status_cannot_be_removed(kubectl: Kubectl) -> None:
    name = kubectl.create()
    kubectl.report(name, phase="Cancelled", attempt=2)

    answer = kubectl.patch(f"{name}/status", {"status": None})

    assert _NEVER_CHANGES in answer.text
    assert _NEVER_DECREASES in answer.text


def full_status(text: str) -> Status:
    """A status with every field, all texts being `text`."""
    return Status(
        observed_generation=1,
        phase=Phase.FAILED,
        attempt=3,
        failures=3,
        next_attempt_time=_AT,
        task_id=text,
        worker=text,
        simulated=True,
        message=text,
        dispatch_time=_AT,
        start_time=_AT,
        completion_time=_AT,
        progress=Progress(100, text, 6, 6, 0, text, text, _AT),
        inputs=Inputs(29, 10**12),
        outputs=Outputs(text, 10**15, tuple(OutputFile(text, 10**12) for _ in range(40))),
        quality={f"number{n}": text for n in range(40)},
        cancel=Cancel(_AT, _AT, _AT),
        failure=Failure(text, text, retriable=True),
        conditions=tuple(Condition(kind, "True", text, text, _AT, 1) for kind in ConditionType),
    )


@pytest.mark.parametrize("text", ["Text", "ä☃\N{COLLISION SYMBOL}" * 4000], ids=["short", "too-long"])
def test_every_field_of_a_fitted_status_is_stored_as_it_was_written(kubectl: Kubectl, text: str) -> None:
    name = kubectl.create()
    status = fitting.fit(full_status(text))

    answer = kubectl.report(name, **codec.encode(status))

    assert answer.accepted, answer.text
    assert codec.decode(Status, kubectl.get(name)["status"]) == status
