"""Logs of a worker: each line is JSON, Celery's own lines too, and the lines of a job name it."""

import json
import re
from pathlib import Path
from typing import Any

from reconstruction_operator.contract.envelope import Envelope

from devcluster.harness.workers import Farm, attempt_of
from devcluster.waiting import wait_until


def lines_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def job_of(job_id: str) -> dict[str, Any]:
    """Return the message's job argument; the photos are not there."""
    return Envelope(attempt_of(job_id), input_uri="file:///photos/elsewhere").to_json()


def test_every_line_is_json_and_lines_about_a_job_name_it(own_farm: Farm, job_id: str) -> None:
    worker = own_farm.start_worker(
        LOG_FORMAT="json",
        WATCH_NAMESPACE="default",
        PYTHONWARNINGS="ignore",  # for root, Celery warns before there is a log
    )
    own_farm.put_record(job_id, 1)
    own_farm.wait_state(own_farm.send(job_id, "photogrammetry", job_of(job_id), task_id=f"{job_id}-1"), "FAILURE")
    own_farm.put_record(f"{job_id}x", 1)
    own_farm.cancel(f"{job_id}x")
    cancelled = own_farm.send(f"{job_id}x", "placeholder", job_of(f"{job_id}x"), task_id=f"{job_id}x-1")
    own_farm.wait_state(cancelled, "REVOKED")
    own_farm.order_cleanup(job_id)
    wait_until(  # the cancelled job deletes its files, too
        lambda: any("its files" in line and f'"{job_id}"' in line for line in worker.log.read_text().splitlines()),
        "the cleanup",
        timeout_seconds=60,
        seen=own_farm.log_ends,
    )
    worker.stop()

    lines = lines_of(worker.log)
    fields = {"namespace": "default", "job": "banana", "uid": job_id, "attempt": 1}
    ours = [line for line in lines if line.items() >= fields.items() and line["level"] == "info"]
    begin, end, celerys_end, cleanup = [line["message"] for line in ours]
    assert begin == f"default/banana begins: model photogrammetry, task {job_id}-1"
    assert re.match(r"default/banana ends: Failed after \d+\.\d s: INPUT_NOT_FOUND: ", end)
    assert [line.get("reason") for line in ours] == [None, "INPUT_NOT_FOUND", None, None]
    assert celerys_end.startswith(f"Task reconstruction.process[{job_id}-1] raised expected: ")
    assert cleanup == "default/banana: its files were deleted before"
    messages = [str(line["message"]) for line in lines]
    assert not [message for message in messages if "succeeded" in message and f"{job_id}x" in message]
    (revoked,) = [line for line in lines if line["message"] == f"Task reconstruction.process[{job_id}x-1] ignored"]
    assert revoked.items() >= (fields | {"uid": f"{job_id}x"}).items()
    for celerys in (
        "Connected to redis",
        "Task reconstruction.process",
        "worker@127.0.0.1 ready.",
        "worker: Warm shut",
    ):
        assert any(message.startswith(celerys) for message in messages), celerys
    (hint,) = [line for line in lines if "WATCH_NAMESPACE " in str(line["message"])]
    assert hint["level"] == "warning"
    assert str(hint["message"]).endswith("no effect: did you mean WATCH_NAMESPACES?")
