"""How many jobs want a worker, by queue and phase: what workers are scaled by."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase
from reconstruction_operator.controller.loop.cache import Store


def body(name: str, phase: str | None = None, *, version: int = 1, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": name, "uid": name, "resourceVersion": str(version)}
        | {"generation": 1, "creationTimestamp": "2026-03-01T12:00:00Z"},
        "spec": {"modelType": "placeholder", "input": {"uri": "file:///photos/banana"}} | spec,
        "status": {"phase": phase} if phase else {},
    }


def test_jobs_are_counted_by_the_queue_of_their_messages() -> None:
    store = Store()
    store.put(body("one", "Running"))
    store.put(body("two", "Running", priority="high"))
    store.put(body("three", queue="gpu"))

    assert store.wanted() == {
        ("celery", Phase.RUNNING): 1,
        ("celery-high", Phase.RUNNING): 1,
        ("gpu", Phase.PENDING): 1,
    }


@pytest.mark.parametrize("phase", ["Suspended", "Succeeded", "Failed", "Cancelled"])
def test_a_job_that_wants_no_worker_any_more_is_not_counted(phase: str) -> None:
    store = Store()
    store.put(body("one", "Running"))
    store.put(body("one", phase, version=2))

    assert store.wanted() == {("celery", Phase.RUNNING): 0}


def test_a_deleted_job_is_not_counted() -> None:
    store = Store()
    store.put(body("one", "Queued"))
    store.remove(JobKey("default", "one", "one"))

    assert store.wanted() == {("celery", Phase.QUEUED): 0}


def test_another_controllers_job_is_not_counted() -> None:
    store = Store()
    store.put(body("one", managedBy="example.com/other"))

    assert store.wanted() == {}
