"""Status patches: they apply to one version of one object, and hold what differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.status import Cancel, Condition, Failure, Phase, Progress, Status
from reconstruction_operator.controller.writes.status_writer import status_patch

from tests.support.jobs import make_key

KEY = make_key()
RUNNING = Status(
    observed_generation=1,
    phase=Phase.RUNNING,
    attempt=1,
    worker="w1",
    progress=Progress(percent=10, step="Loading input files", step_index=1, eta_seconds=30),
    quality={"registered": "8"},
    conditions=(Condition("Running", "True", "Started"),),
)


def apply(document: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """RFC 6902 as far as the patches go: the status after them."""
    status = dict(document)
    for change in patch:
        match change, change["path"].split("/")[1:]:
            case {"op": "add", "value": value}, ["status"]:
                status = dict(value)
            case {"op": "add", "value": value}, ["status", name]:
                status[name] = value
            case {"op": "remove"}, ["status", name]:
                del status[name]
            case {"op": "test"}, ["metadata", "uid"]:
                pass
            case _:
                raise AssertionError(f"not expected: {change}")
    return status


def changes(stored: Status, wanted: Status, *, whole: bool = False) -> list[dict[str, Any]]:
    """The patch without its tests of uid and version."""
    return status_patch(KEY, 7, codec.encode(stored), codec.encode(wanted), whole=whole)[2:]


@pytest.mark.parametrize("whole", [True, False])
def test_uid_and_version_are_tested_before_anything_is_written(whole: bool) -> None:
    patch = status_patch(KEY, 7, {}, codec.encode(RUNNING), whole=whole)

    assert patch[:2] == [
        {"op": "test", "path": "/metadata/uid", "value": "uid-banana"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
    ]


def test_progress_sends_the_progress_and_nothing_else() -> None:
    wanted = replace(RUNNING, progress=Progress(percent=12, step="Preprocessing images", step_index=2))

    assert changes(RUNNING, wanted) == [
        {
            "op": "add",
            "path": "/status/progress",
            "value": {"percent": 12, "step": "Preprocessing images", "stepIndex": 2, "stepCount": 6},
        }
    ]


def test_a_field_without_a_value_is_removed_on_the_server() -> None:
    assert changes(RUNNING, replace(RUNNING, worker=None)) == [{"op": "remove", "path": "/status/worker"}]


def test_conditions_are_replaced_as_a_whole() -> None:
    wanted = replace(RUNNING, conditions=(Condition("Running", "False", "Ended"),))

    value = [{"type": "Running", "status": "False", "reason": "Ended"}]
    assert changes(RUNNING, wanted) == [{"op": "add", "path": "/status/conditions", "value": value}]


WANTED = [
    pytest.param(Status(observed_generation=2, phase=Phase.PENDING, attempt=2), id="next attempt"),
    pytest.param(replace(RUNNING, phase=Phase.SUCCEEDED, worker=None, progress=None), id="succeeded"),
    pytest.param(replace(RUNNING, phase=Phase.FAILED, failure=Failure("TIMEOUT", "late")), id="failed"),
]


@pytest.mark.parametrize("wanted", WANTED)
def test_a_patch_turns_the_stored_status_into_the_wanted_one(wanted: Status) -> None:
    patched = apply(codec.encode(RUNNING), changes(RUNNING, wanted))

    assert codec.decode(Status, patched) == wanted


STALE = replace(RUNNING, failure=Failure("WORKER_LOST", "lost", retriable=True), task_id="x-1", cancel=Cancel())


@pytest.mark.parametrize("wanted", WANTED)
def test_a_whole_patch_leaves_nothing_stale_if_the_cache_was_old(wanted: Status) -> None:
    patched = apply(codec.encode(STALE), changes(RUNNING, wanted, whole=True))

    assert codec.decode(Status, patched) == wanted
