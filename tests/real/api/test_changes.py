"""Changes of a job: which are allowed, and the messages for those that are not."""

import json
from typing import Any

import pytest

from devcluster.harness.kubectl import Kubectl
from devcluster.harness.manifests import manifest

_IMMUTABLE = "cannot be changed, added or removed later: create a new job under another name"
_WITH_ALL = {
    "modelType": "photogrammetry",
    "output": {"uri": "file:///meshes/banana"},
    "parameters": {"quality": "fast", "views": [1, None]},
    "managedBy": "example.com/other",
}


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        pytest.param("modelType", _WITH_ALL, "placeholder", id="model-changed"),
        pytest.param("modelType", {"modelType": "placeholder"}, None, id="model-removed"),
        pytest.param("modelType", {}, "placeholder", id="model-instead-of-the-default"),
        pytest.param("input", {}, {"uri": "file:///photos/pear"}, id="input-changed"),
        pytest.param("output", _WITH_ALL, {"uri": "file:///meshes/pear"}, id="output-changed"),
        pytest.param("output", _WITH_ALL, None, id="output-removed"),
        pytest.param("output", {}, {"uri": "file:///meshes/banana"}, id="output-added"),
        pytest.param("parameters", _WITH_ALL, {"quality": "standard"}, id="parameter-changed"),
        pytest.param("parameters", _WITH_ALL, {"views": [1, 2]}, id="parameter-changed-in-a-list"),
        pytest.param("parameters", _WITH_ALL, None, id="parameters-removed"),
        pytest.param("parameters", {}, {}, id="empty-parameters-added"),
        pytest.param("managedBy", _WITH_ALL, "example.com/another", id="manager-changed"),
        pytest.param("managedBy", _WITH_ALL, None, id="manager-removed"),
        pytest.param("managedBy", {}, "example.com/other", id="manager-added"),
    ],
)
def test_immutable_fields_cannot_be_changed(
    kubectl: Kubectl, field: str, before: dict[str, Any], after: object
) -> None:
    name = kubectl.create(**before)
    spec = kubectl.get(name)["spec"]

    answer = kubectl.change(name, **{field: after})

    assert f"spec.{field}: Forbidden: {field} {_IMMUTABLE}" in answer.text
    assert kubectl.get(name)["spec"] == spec


def test_several_mistakes_are_reported_together(kubectl: Kubectl) -> None:
    name = kubectl.create()

    answer = kubectl.change(name, modelType="placeholder", input={"uri": "file:///photos/pear"}, parameters={"a": 1})

    assert [
        field for field in ("modelType", "input", "parameters") if f"spec.{field}: Forbidden" not in answer.text
    ] == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"suspend": True}, id="suspend"),
        pytest.param({"backoffLimit": 5}, id="backoff-limit"),
        pytest.param({"activeDeadlineSeconds": 60}, id="active-deadline"),
        pytest.param({"queueDeadlineSeconds": 60}, id="queue-deadline"),
        pytest.param({"ttlSecondsAfterFinished": 0}, id="ttl"),
        pytest.param({"cancelRequested": True}, id="cancel-request"),
    ],
)
def test_fields_that_control_a_running_job_can_be_changed(kubectl: Kubectl, change: dict[str, Any]) -> None:
    name = kubectl.create(**_WITH_ALL)
    assert kubectl.report(name, attempt=1, phase="Running").accepted

    answer = kubectl.change(name, **change)

    assert answer.accepted, answer.text
    assert change.items() <= kubectl.get(name)["spec"].items()


@pytest.mark.parametrize("field", ["activeDeadlineSeconds", "queueDeadlineSeconds", "ttlSecondsAfterFinished"])
def test_a_deadline_can_be_removed(kubectl: Kubectl, field: str) -> None:
    name = kubectl.create(**{field: 60})

    assert kubectl.change(name, **{field: None}).accepted
    assert field not in kubectl.get(name)["spec"]


@pytest.mark.parametrize(
    ("status", "change", "refused"),
    [
        pytest.param(None, {"queue": "gpu"}, "", id="queue-before-the-operator-has-seen-it"),
        pytest.param(None, {"priority": "high"}, "", id="priority-before-the-operator-has-seen-it"),
        pytest.param({"phase": "Pending", "attempt": 0}, {"queue": "gpu"}, "", id="queue-while-pending"),
        pytest.param({"phase": "Suspended", "attempt": 0}, {"queue": "gpu"}, "", id="queue-while-suspended-from-birth"),
        pytest.param({"phase": "Queued", "attempt": 1}, {"queue": "gpu"}, "queue", id="queue-once-queued"),
        pytest.param({"phase": "Queued", "attempt": 1}, {"priority": "high"}, "priority", id="priority-once-queued"),
        pytest.param({"phase": "Queued", "attempt": 1}, {"queue": None}, "", id="removing-what-is-the-default"),
        pytest.param({"phase": "Suspended", "attempt": 1}, {"queue": "gpu"}, "queue", id="queue-once-suspended-again"),
        pytest.param(
            {"phase": "Pending", "attempt": 2}, {"priority": "low"}, "priority", id="priority-between-attempts"
        ),
        pytest.param(
            {"dispatchTime": "2026-01-01T00:00:00Z"}, {"queue": "gpu"}, "queue", id="queue-with-a-dispatch-time-alone"
        ),
    ],
)
def test_queue_and_priority_are_fixed_after_the_dispatch(
    kubectl: Kubectl, status: dict[str, Any] | None, change: dict[str, Any], refused: str
) -> None:
    name = kubectl.create()
    if status is not None:
        assert kubectl.report(name, **status).accepted

    answer = kubectl.change(name, **change)

    assert answer.accepted == (not refused), answer.text
    if refused:
        message = f"spec.{refused}: Forbidden: the job has been dispatched, and its {refused} is fixed since then"
        assert message in answer.text


def test_a_dispatched_job_can_be_applied_again_unchanged(kubectl: Kubectl) -> None:
    text = json.dumps(manifest(queue="gpu", priority="high", parameters={"quality": "fast"}))
    assert kubectl("apply", "-f", "-", text=text).accepted
    assert kubectl.report("job", attempt=1, phase="Running").accepted

    assert kubectl("apply", "-f", "-", text=text).text.strip().endswith("unchanged")
