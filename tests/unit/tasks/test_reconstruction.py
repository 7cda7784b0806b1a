"""The public contract of the task, in direct calls and by `apply()`, on fakeredis."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import redis
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.services import file_handler, job_manager
from reconstruction_operator.tasks.reconstruction import process_reconstruction
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from tests.support.refs import make_attempt
from tests.support.settings import configure
from tests.support.worker.attempts import JOB, SIX_PAIRS, want

pytestmark = pytest.mark.usefixtures("client", "jobs_dir")


@pytest.fixture
def states() -> mock.Mock:
    """Every call of Celery's own `update_state`."""
    with mock.patch.object(process_reconstruction, "update_state") as update_state:
        yield update_state


def pairs(states: mock.Mock) -> list[tuple[str, int]]:
    return [(call.kwargs["meta"]["step"], call.kwargs["meta"]["progress"]) for call in states.call_args_list]


def confirm(job_id: str) -> None:
    job_manager.request_cancellation(job_id)
    job_manager.confirm_cancellation(job_id)


def test_the_task_has_its_public_name_and_signature() -> None:
    assert process_reconstruction.name == "reconstruction.process"
    assert str(inspect.signature(process_reconstruction.run)) == (
        "(job_id: 'str', model_type: 'str' = 'reconviagen', job: 'Mapping[str, Any] | None' = None) -> 'dict[str, Any]'"
    )


def test_six_steps_are_reported_once_each_in_order(states: mock.Mock) -> None:
    process_reconstruction("test123", "placeholder")
    assert pairs(states) == SIX_PAIRS
    assert {call.kwargs["state"] for call in states.call_args_list} == {"PROGRESS"}


def test_a_completed_job_returns_its_status_and_output_path(jobs_dir: Path) -> None:
    result = process_reconstruction("test123", "placeholder")
    expected = {"status": "completed", "job_id": "test123", "output_path": f"{jobs_dir}/test123/output"}
    assert result.items() >= (expected | {"simulated": True}).items()
    assert json.loads(json.dumps(result)) == result


def test_a_cancelled_job_and_its_late_duplicate_return_status_and_job_id(client: redis.Redis) -> None:
    confirm("test123")
    for _ in range(2):
        assert process_reconstruction("test123", "placeholder") == {"status": "cancelled", "job_id": "test123"}
        assert job_manager.is_job_cancelled("test123")
        assert 3500 < client.ttl("cancel:test123") <= 3600


@pytest.mark.parametrize("step", range(1, 7))
def test_the_cancel_flag_is_checked_before_each_step_is_reported(
    step: int, jobs_dir: Path, states: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step asks once. The cancel comes just before step number `step`."""
    answers = iter([False] * (step - 1) + [True])
    monkeypatch.setattr(job_manager, "is_job_cancelled", lambda _job_id: next(answers))

    result = process_reconstruction("test123", "placeholder")

    assert result == {"status": "cancelled", "job_id": "test123"}
    assert pairs(states) == SIX_PAIRS[: step - 1]
    assert next(answers, "all were asked") == "all were asked"
    assert list(jobs_dir.iterdir()) == []


def test_a_cancel_deletes_input_and_earlier_output(jobs_dir: Path) -> None:
    process_reconstruction("test123", "placeholder")
    file_handler.input_dir("test123").mkdir()
    (file_handler.input_dir("test123") / "a.jpg").write_bytes(b"photo")
    confirm("test123")
    process_reconstruction("test123", "placeholder")
    assert list(jobs_dir.iterdir()) == []


def test_a_completed_job_leaves_only_its_output(jobs_dir: Path) -> None:
    process_reconstruction("test123", "placeholder")
    files = ["SIMULATED.txt", "manifest.json", "model.glb", "preview_0.png", "preview_1.png"]
    assert sorted(path.relative_to(jobs_dir).as_posix() for path in jobs_dir.rglob("*")) == [
        *("test123", "test123/output"),
        *(f"test123/output/{name}" for name in files),
    ]


def test_a_simulated_result_is_marked_in_its_files(jobs_dir: Path) -> None:
    process_reconstruction("test123", "reconviagen")
    output = jobs_dir / "test123" / "output"
    manifest = json.loads((output / "manifest.json").read_text())
    assert (manifest["simulated"], manifest["model"], manifest["attempt"]["job"]["uid"]) == (
        True,
        "reconviagen",
        "test123",
    )
    assert "SIMULATED" in (output / "SIMULATED.txt").read_text()


@pytest.mark.parametrize("job_id", ["", "../etc", "a/b", "a" * 200, None])
def test_an_unsafe_job_id_is_refused(job_id: str, client: redis.Redis) -> None:
    with pytest.raises(ValueError, match="job id"):
        process_reconstruction(job_id, "placeholder")
    assert client.keys("*") == []


def test_a_real_model_without_photos_fails_with_its_reason() -> None:
    with pytest.raises(ReconstructionFailedError, match=r"INPUT_NOT_FOUND: there is no folder .*test123/input"):
        process_reconstruction("test123", "photogrammetry")


def test_a_second_bare_task_replaces_the_jobs_output(jobs_dir: Path) -> None:
    process_reconstruction("test123", "placeholder")
    (jobs_dir / "test123" / "output" / "model.glb").write_bytes(b"old")
    assert process_reconstruction("test123", "placeholder")["status"] == "completed"
    assert (jobs_dir / "test123" / "output" / "model.glb").read_bytes()[:4] == b"glTF"
    assert [path.name for path in (jobs_dir / "test123").iterdir()] == ["output"]


def test_a_job_folder_that_cannot_be_created_is_a_worker_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    configure(monkeypatch, JOBS_DIR=str(tmp_path / "file"))
    with pytest.raises(ReconstructionFailedError, match=r"WORKER_ERROR: .*Not a directory"):
        process_reconstruction("test123", "placeholder")


@pytest.mark.parametrize(
    "job",
    [{"version": 99}, {"version": 1}, {"version": 1, "attempt": 1}, Envelope(make_attempt("other")).to_json(), "text"],
)
def test_a_malformed_envelope_is_dropped(job: Any, client: redis.Redis, jobs_dir: Path) -> None:
    want(client, 1)
    done = process_reconstruction.apply(args=(JOB, "placeholder", job), task_id="x")
    assert done.state == "IGNORED"
    assert list(jobs_dir.iterdir()) == []


def test_unknown_keys_of_the_envelope_are_ignored(client: redis.Redis) -> None:
    want(client, 1)
    message = Envelope(make_attempt(JOB)).to_json() | {"colour": "blue", "inputUri": 7}
    done = process_reconstruction.apply(args=(JOB, "placeholder", message), task_id=f"{JOB}-1")
    assert done.result["status"] == "completed"
