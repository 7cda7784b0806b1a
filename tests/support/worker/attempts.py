"""Attempts of one job, run in this process on fakeredis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator.contract.attempt import Orders
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.contract.records import End, ObservedJob
from reconstruction_operator.jobfiles import publishing
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, operator_calls, reads
from reconstruction_operator.tasks.reconstruction import process_reconstruction

from devcluster.harness.workers import put_record
from tests.support.refs import make_attempt

JOB = "0b7c4a9e-job"

SIX_PAIRS = [
    ("Loading input files", 10),
    ("Preprocessing images", 20),
    ("Running reconstruction", 60),
    ("Post-processing mesh", 80),
    ("Generating previews", 90),
    ("Finalizing output", 100),
]
"""The contract: step and percentage."""


def want(client: redis.Redis, attempt: int, job_id: str = JOB) -> None:
    """Put a record of the job that requests the attempt."""
    put_record(client, job_id, attempt)


def stop(client: redis.Redis, attempt: int, reason: StopReason) -> None:
    """Request that the attempt stops."""
    call = operator_calls.request_stop(
        Keys(), fence=1, install_id="test", attempt=make_attempt(JOB, attempt), reason=reason
    )
    calls.run(client, call)


def run(attempt: int = 1, model: str = "placeholder", *, job_id: str = JOB, **envelope: Any) -> dict[str, Any]:
    """Run the attempt in this process, as a message of the operator does. Return the task's result or raise its error.

    `envelope`: the fields of the message, of its orders, and those that name the attempt.
    """
    orders = Orders(**{part.name: envelope.pop(part.name) for part in fields(Orders) if part.name in envelope})
    names = {name: envelope.pop(name) for name in ("namespace", "name", "namespace_uid", "queue") if name in envelope}
    sent = make_attempt(job_id, attempt, **names)
    message = Envelope(sent, orders=orders, **envelope).to_json()
    done = process_reconstruction.apply(args=(job_id, model, message), task_id=sent.task_id)
    if isinstance(done.result, Exception):
        raise done.result
    result: dict[str, Any] = done.result
    return result


def observe(client: redis.Redis, attempt: int = 1, job_id: str = JOB) -> ObservedJob:
    """Return what Redis holds of the attempt."""
    (job,) = calls.run(client, reads.observe(Keys(), [(job_id, attempt)])).jobs
    return job


def end(client: redis.Redis, attempt: int = 1, job_id: str = JOB) -> End:
    """Return the recorded end of the attempt."""
    recorded = observe(client, attempt, job_id).end
    assert recorded is not None
    return recorded


def at_step(number: int, action: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call `action` just before step `number`, since each step first reads the cancel flag."""
    asked: list[str] = []
    ask = job_manager.is_job_cancelled

    def is_job_cancelled(job_id: str) -> bool:
        asked.append(job_id)
        if len(asked) == number:
            action()
        return ask(job_id)

    monkeypatch.setattr(job_manager, "is_job_cancelled", is_job_cancelled)


class KilledError(BaseException):
    """Substitute of SIGKILL, which no code of the worker catches."""


def kill_before_publishing(meshes: Path) -> None:
    """Kill the worker after it has delivered its result to a folder, before it publishes the result."""
    deliver_and_die(f"file://{meshes}/banana")
    assert (meshes / "banana" / "model.glb").is_file()


def deliver_and_die(output_uri: str) -> None:
    """Kill the worker after it has delivered its result, before it publishes the result."""

    def die(*_args: object, **_kwargs: object) -> None:
        raise KilledError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publishing, "publish", die)
        with pytest.raises(KilledError):
            run(output_uri=output_uri)
