"""Merge patches of the status: only what differs, and null for what went."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Cancel, Condition, Failure, Phase, Progress, Status
from reconstruction_operator.controller.patches import merge_patch, status_patch

KEY = JobKey("default", "banana", "uid-banana")
RUNNING = Status(
    observed_generation=1,
    phase=Phase.RUNNING,
    attempt=1,
    worker="w1",
    progress=Progress(percent=10, step="Loading input files", step_index=1, eta_seconds=30),
    quality={"registered": "8"},
    conditions=(Condition("Running", "True", "Started"),),
)


def apply(document: Any, patch: Any) -> Any:
    """RFC 7386, as the server does it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply(result.get(name), value)
    return result


def test_the_uid_is_a_precondition() -> None:
    patch = status_patch(KEY, Status(), RUNNING, whole=False)

    assert patch is not None
    assert patch["metadata"] == {"uid": "uid-banana"}


def test_nothing_is_sent_if_nothing_differs() -> None:
    assert status_patch(KEY, RUNNING, RUNNING, whole=True) is None
    assert status_patch(KEY, RUNNING, RUNNING, whole=False) is None


def test_progress_sends_the_percentage_and_nothing_else() -> None:
    wanted = replace(RUNNING, progress=replace(RUNNING.progress or Progress(), percent=12))

    patch = status_patch(KEY, RUNNING, wanted, whole=False)

    assert patch == {"metadata": {"uid": "uid-banana"}, "status": {"progress": {"percent": 12}}}


def test_a_field_that_went_is_removed_on_the_server() -> None:
    wanted = replace(RUNNING, worker=None, progress=replace(RUNNING.progress or Progress(), eta_seconds=None))

    patch = status_patch(KEY, RUNNING, wanted, whole=False)

    assert patch is not None
    assert patch["status"] == {"worker": None, "progress": {"etaSeconds": None}}


STALE = replace(
    RUNNING,
    failure=Failure("WORKER_LOST", "gone", retriable=True),
    task_id="x-1",
    cancel=Cancel(),
    progress=replace(RUNNING.progress or Progress(), step_index=3, display="old"),
)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(Status(observed_generation=2, phase=Phase.PENDING, attempt=2), id="next attempt"),
        pytest.param(replace(RUNNING, phase=Phase.SUCCEEDED, worker=None, progress=None), id="succeeded"),
        pytest.param(replace(RUNNING, phase=Phase.FAILED, failure=Failure("TIMEOUT", "late")), id="failed"),
    ],
)
@pytest.mark.parametrize("really_stored", [pytest.param(RUNNING, id="as known"), pytest.param(STALE, id="otherwise")])
def test_a_whole_patch_leaves_nothing_stale_even_if_our_view_was_old(wanted: Status, really_stored: Status) -> None:
    patch = status_patch(KEY, RUNNING, wanted, whole=True)

    assert patch is not None
    assert codec.decode(Status, apply(codec.encode(really_stored), patch["status"])) == wanted


def test_lists_are_replaced_as_a_whole() -> None:
    wanted = replace(RUNNING, conditions=(Condition("Running", "False", "Ended"),))

    patch = status_patch(KEY, RUNNING, wanted, whole=False)

    assert patch is not None
    assert patch["status"] == {"conditions": [{"type": "Running", "status": "False", "reason": "Ended"}]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({}, {"a": 1}, {"a": 1}, id="added"),
        pytest.param({"a": 1}, {}, {"a": None}, id="removed"),
        pytest.param({"a": 1}, {"a": 2}, {"a": 2}, id="changed"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}, id="nested"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1}}, {}, id="nested and equal"),
        pytest.param({"a": {"b": 1}}, {"a": 1}, {"a": 1}, id="a mapping becomes a number"),
    ],
)
def test_merge_patch(before: dict[str, Any], after: dict[str, Any], expected: dict[str, Any]) -> None:
    patch = merge_patch(before, after)

    assert patch == expected
    assert apply(before, patch) == after
