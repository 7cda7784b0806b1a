"""Attempts that the operator ordered: the envelope, other attempts' folders, sealed outputs, and every way to stop."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.exceptions import Ignore
from reconstruction_operator import disk
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.jobfiles import notes, publishing, workspace
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, operator_calls, reads, worker_calls
from reconstruction_operator.tasks.cleanup import clean_up
from reconstruction_operator.tasks.reconstruction import process_reconstruction
from reconstruction_operator.transfer import delivery
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError
from reconstruction_operator.worker.attempt.ownership import Ownership

from tests.support.settings import configure

JOB = "0b7c4a9e-job"


def want(client: redis.Redis, attempt: int) -> None:
    """The operator's record."""
    call = operator_calls.put_record(
        Keys(),
        fence=1,
        install_id="test",
        job_id=JOB,
        namespace="default",
        name="banana",
        attempt=attempt,
        queue="celery",
    )
    calls.run(client, call)


def stop(client: redis.Redis, attempt: int, reason: StopReason) -> None:
    call = operator_calls.request_stop(Keys(), fence=1, install_id="test", task=TaskId(JOB, attempt), reason=reason)
    calls.run(client, call)


def run(attempt: int = 1, model: str = "placeholder", **envelope: Any) -> dict[str, Any]:
    """As the operator's message does it, in this process."""
    message = Envelope(attempt=attempt, install_id="test", **envelope).to_json()
    done = process_reconstruction.apply(args=(JOB, model, message), task_id=str(TaskId(JOB, attempt)))
    if isinstance(done.result, Exception):
        raise done.result
    result: dict[str, Any] = done.result
    return result


def end(client: redis.Redis, attempt: int = 1) -> End:
    (seen,) = calls.run(client, reads.observe(Keys(), [(JOB, TaskId(JOB, attempt))])).jobs
    assert seen.end is not None
    return seen.end


def at_step(number: int, action: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Something happens just before step `number` begins, as the question that each step asks shows."""
    asked: list[str] = []
    ask = job_manager.is_job_cancelled

    def is_job_cancelled(job_id: str) -> bool:
        asked.append(job_id)
        if len(asked) == number:
            action()
        return ask(job_id)

    monkeypatch.setattr(job_manager, "is_job_cancelled", is_job_cancelled)


@pytest.fixture(autouse=True)
def _wanted(client: redis.Redis, jobs_dir: Path) -> None:
    want(client, 1)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    configure(monkeypatch, INPUT_ROOTS=(str(folder),))
    return folder


def test_a_success_is_recorded_with_what_came_out(client: redis.Redis, jobs_dir: Path) -> None:
    assert run()["status"] == "completed"
    recorded = end(client)
    assert recorded.outcome is Outcome.SUCCEEDED
    assert recorded.simulated
    assert recorded.outputs is not None
    assert recorded.outputs.uri == f"file://{jobs_dir}/{JOB}/output"
    assert recorded.outputs.files[0].name == "model.glb"
    assert recorded.outputs.bytes == sum(one.bytes for one in recorded.outputs.files)
    assert recorded.quality == {"vertices": "24", "faces": "12"}


def test_a_message_that_is_not_wanted_any_more_is_ignored(client: redis.Redis, jobs_dir: Path) -> None:
    want(client, 2)
    with pytest.raises(Ignore):
        run(1)
    assert list(jobs_dir.iterdir()) == []


def test_a_message_without_a_record_is_dropped(client: redis.Redis, jobs_dir: Path) -> None:
    client.flushall()
    with pytest.raises(Ignore):
        run()
    assert client.keys("*") == []


@pytest.mark.parametrize("job", [{"version": 99, "attempt": 1}, {"version": 1}, {"version": 1, "attempt": 0}, "text"])
def test_a_message_that_cannot_be_understood_is_dropped(job: Any, client: redis.Redis, jobs_dir: Path) -> None:
    done = process_reconstruction.apply(args=(JOB, "placeholder", job), task_id="x")
    assert done.state == "IGNORED"
    assert list(jobs_dir.iterdir()) == []


def test_unknown_keys_of_a_newer_operator_are_ignored(client: redis.Redis, jobs_dir: Path) -> None:
    message = Envelope(attempt=1).to_json() | {"colour": "blue", "queue": 7}
    done = process_reconstruction.apply(args=(JOB, "placeholder", message), task_id=f"{JOB}-1")
    assert done.result["status"] == "completed"


@pytest.mark.parametrize(
    ("reason", "outcome", "code"),
    [
        (StopReason.SUSPEND, Outcome.STOPPED, "SUSPENDED"),
        (StopReason.DELETED, Outcome.STOPPED, "DELETED"),
        (StopReason.SUPERSEDED, Outcome.STOPPED, "SUPERSEDED"),
        (StopReason.DEADLINE, Outcome.FAILED, "TIMEOUT"),
    ],
)
def test_a_stopped_attempt_says_why_and_leaves_nothing(
    reason: StopReason,
    outcome: Outcome,
    code: str,
    *,
    client: redis.Redis,
    jobs_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_step(3, lambda: stop(client, 1, reason), monkeypatch)
    configure(monkeypatch, BEAT_SECONDS=0.02)
    configure(monkeypatch, PLACEHOLDER_STEP_SECONDS=0.2)

    assert run() == {"status": "stopped", "job_id": JOB, "reason": code}

    recorded = end(client)
    assert (recorded.outcome, recorded.reason) == (outcome, code)
    assert "stopped at step " in recorded.message
    assert ("activeDeadlineSeconds" in recorded.message) is (code == "TIMEOUT")
    assert list(jobs_dir.iterdir()) == []


def test_a_cancel_during_a_step_beats_a_stop(
    client: redis.Redis, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both() -> None:
        stop(client, 1, StopReason.SUSPEND)
        job_manager.assert_cancelled(JOB)

    configure(monkeypatch, PLACEHOLDER_STEP_SECONDS=0.2)
    configure(monkeypatch, BEAT_SECONDS=0.02)
    at_step(3, both, monkeypatch)
    assert run() == {"status": "cancelled", "job_id": JOB}
    assert end(client).outcome is Outcome.CANCELLED
    assert job_manager.is_job_cancelled(JOB)


def test_a_cancelled_job_that_would_fail_is_cancelled(client: redis.Redis, jobs_dir: Path) -> None:
    job_manager.assert_cancelled(JOB)
    assert run(model="nobody-knows-it")["status"] == "cancelled"


def test_a_failure_is_recorded_with_its_reason(client: redis.Redis, jobs_dir: Path) -> None:
    with pytest.raises(ReconstructionFailedError, match="INPUT_REFUSED"):
        run(model="photogrammetry", input_uri="file:///etc")
    recorded = end(client)
    assert (recorded.outcome, recorded.reason) == (Outcome.FAILED, "INPUT_REFUSED")
    assert list(jobs_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("count", "reason", "text"),
    [
        pytest.param(
            0, "TOO_FEW_IMAGES", "0 photos were found (1 other file ignored: 1 .heic); photogrammetry needs", id="0"
        ),
        pytest.param(2, "TOO_FEW_IMAGES", "2 photos were found", id="2"),
        pytest.param(201, "TOO_MANY_IMAGES", "201 photos were found", id="201"),
        pytest.param(3, "CORRUPT_IMAGE", "photo 0.jpg (1 of 3) is an empty file", id="3"),
    ],
)
def test_the_number_of_photos_is_checked_before_they_are_decoded(
    count: int, reason: str, text: str, *, photos: Path, client: redis.Redis, jobs_dir: Path
) -> None:
    (photos / "x.heic").touch()
    for number in range(count):
        (photos / f"{number}.jpg").touch()
    with pytest.raises(ReconstructionFailedError) as caught:
        run(model="photogrammetry", input_uri=f"file://{photos}")
    assert caught.value.reason == reason
    assert text in caught.value.message


def test_parameters_are_checked_before_anything_is_read(client: redis.Redis, jobs_dir: Path) -> None:
    with pytest.raises(ReconstructionFailedError, match=r"INVALID_PARAMETERS: .*stepSeconds"):
        run(parameters={"stepSeconds": "fast"})


def test_a_later_attempt_takes_the_folders_of_earlier_ones_away(client: redis.Redis, jobs_dir: Path) -> None:
    for name in ("1", "1-01234567", "2-01234567", ".gone-1"):
        (jobs_dir / JOB / "attempts" / name / "output").mkdir(parents=True)
    want(client, 2)
    assert run(2)["status"] == "completed"
    assert sorted(path.name for path in (jobs_dir / JOB).iterdir()) == ["output"]


def test_an_attempt_that_was_overtaken_publishes_nothing_and_says_nothing(
    client: redis.Redis, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, BEAT_SECONDS=60.0)  # it has not heard of it

    def overtake() -> None:
        want(client, 2)
        (folder,) = (jobs_dir / JOB / "attempts").iterdir()
        folder.rename(folder.with_name(".gone-1"))

    at_step(6, overtake, monkeypatch)
    with pytest.raises(Ignore):
        run(1)
    assert not (jobs_dir / JOB / "output").exists()
    (seen,) = calls.run(client, reads.observe(Keys(), [(JOB, TaskId(JOB, 1))])).jobs
    assert seen.end is None


def test_an_attempt_that_finds_a_sealed_output_reports_that(client: redis.Redis, jobs_dir: Path) -> None:
    run(1)
    output = jobs_dir / JOB / "output"
    before = (output / "manifest.json").read_bytes()
    want(client, 2)
    assert run(2, model="photogrammetry", input_uri="file:///nowhere")["status"] == "completed"
    assert (output / "manifest.json").read_bytes() == before
    assert end(client, 2).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda output: (output / "manifest.json").unlink(), id="without a manifest"),
        pytest.param(lambda output: (output / "manifest.json").write_text("{"), id="with half a manifest"),
        pytest.param(lambda output: (output / "model.glb").write_bytes(b""), id="with a file cut off"),
        pytest.param(lambda output: (output / "preview_1.png").unlink(), id="with a file missing"),
    ],
)
def test_an_output_that_is_not_sealed_is_made_again(
    spoil: Callable[[Path], object], client: redis.Redis, jobs_dir: Path
) -> None:
    run(1)
    output = jobs_dir / JOB / "output"
    spoil(output)
    want(client, 2)
    assert run(2)["status"] == "completed"
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["attempt"] == 2
    assert all((output / one["name"]).stat().st_size == one["bytes"] for one in manifest["files"])


@pytest.fixture
def meshes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "meshes"
    folder.mkdir()
    configure(monkeypatch, OUTPUT_ROOTS=(str(folder),))
    return folder


class KilledError(BaseException):
    """SIGKILL leaves no time for anything else."""


def kill_before_publishing(meshes: Path) -> None:
    """A worker dies when its result has been delivered, and not published."""

    def die(*_args: object, **_kwargs: object) -> None:
        raise KilledError

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publishing, "publish", die)
        with pytest.raises(KilledError):
            run(output_uri=f"file://{meshes}/banana")
    assert (meshes / "banana" / "model.glb").is_file()


def end_by_the_operator(client: redis.Redis, attempt: int, outcome: Outcome, reason: str) -> None:
    """Its worker is silent, or nobody has begun it."""
    task, gone = TaskId(JOB, attempt), End(outcome, reason)
    client.delete(Keys().alive(str(task)))
    taken = calls.run(client, operator_calls.take_claim(Keys(), fence=1, install_id="test", task=task, end=gone))
    if not taken:
        calls.run(client, operator_calls.force_end(Keys(), fence=1, install_id="test", task=task, end=gone))
    assert end(client, attempt).outcome is outcome


def test_a_copy_goes_to_the_output_location_as_well(client: redis.Redis, jobs_dir: Path, meshes: Path) -> None:
    run(output_uri=f"file://{meshes}/banana")
    reported = end(client).outputs
    assert reported is not None
    assert reported.uri == f"file://{meshes}/banana"
    here, there = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (jobs_dir / JOB / "output", meshes / "banana")
    )
    assert here == there
    assert [path.name for path in meshes.iterdir()] == ["banana"]


@pytest.mark.parametrize("ended_by", ["the operator", "an attempt that had not begun"])
def test_what_a_killed_worker_delivered_goes_when_the_job_is_cancelled(
    ended_by: str, client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    kill_before_publishing(meshes)
    attempt = 1
    if ended_by != "the operator":
        end_by_the_operator(client, 1, Outcome.FAILED, "WORKER_LOST")
        attempt = 2
        want(client, attempt)
    job_manager.assert_cancelled(JOB)
    end_by_the_operator(client, attempt, Outcome.CANCELLED, "CANCELLED")
    clean_up(JOB)
    assert list(meshes.iterdir()) == []
    assert list(jobs_dir.iterdir()) == []


def test_what_a_killed_worker_delivered_goes_when_the_next_attempt_is_cancelled_early(
    client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    kill_before_publishing(meshes)
    end_by_the_operator(client, 1, Outcome.FAILED, "WORKER_LOST")
    want(client, 2)
    job_manager.assert_cancelled(JOB)
    assert run(2, output_uri=f"file://{meshes}/banana")["status"] == "cancelled"
    assert list(meshes.iterdir()) == []
    assert list(jobs_dir.iterdir()) == []


def test_a_copy_is_gone_before_it_is_said_that_the_job_is_cancelled(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    finish = worker_calls.finish

    def look_and_finish(*args: Any, **kwargs: Any) -> Any:
        if kwargs["end"].outcome is Outcome.CANCELLED:
            seen.append((meshes / "banana").exists())
        else:
            job_manager.assert_cancelled(JOB)
        return finish(*args, **kwargs)

    monkeypatch.setattr(worker_calls, "finish", look_and_finish)
    assert run(output_uri=f"file://{meshes}/banana")["status"] == "cancelled"
    assert seen == [False]


def test_the_notes_of_earlier_runs_stay_until_the_next_has_its_own(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_args: object, **_kwargs: object) -> None:
        raise KilledError

    kill_before_publishing(meshes)
    want(client, 2)
    with monkeypatch.context() as patched:
        patched.setattr(notes, "note", die)
        with pytest.raises(KilledError):
            run(2, output_uri=f"file://{meshes}/banana")
    clean_up(JOB)
    assert list(meshes.iterdir()) == []
    assert list(jobs_dir.iterdir()) == []


def test_what_a_killed_worker_delivered_goes_when_the_next_attempt_fails(
    client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    kill_before_publishing(meshes)
    end_by_the_operator(client, 1, Outcome.FAILED, "WORKER_LOST")
    want(client, 2)
    with pytest.raises(ReconstructionFailedError, match="INPUT_REFUSED"):
        run(2, model="photogrammetry", input_uri="file:///etc", output_uri=f"file://{meshes}/banana")
    assert list(meshes.iterdir()) == []
    assert list(jobs_dir.iterdir()) == []


def test_an_attempt_that_was_overtaken_before_it_published_takes_its_copy_back(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, BEAT_SECONDS=0.02)
    publish = publishing.publish

    def overtake(*args: Any, **kwargs: Any) -> Any:
        want(client, 2)
        (folder,) = (jobs_dir / JOB / "attempts").glob("1-*/output")
        disk.delete_tree(folder)
        return publish(*args, **kwargs)

    monkeypatch.setattr(publishing, "publish", overtake)
    with pytest.raises(Ignore):
        run(1, output_uri=f"file://{meshes}/banana")
    assert list(meshes.iterdir()) == []


@pytest.mark.parametrize("flag", ["is there", "has expired"])
def test_the_published_copy_of_a_cancelled_job_goes_with_its_files_and_that_of_another_stays(
    flag: str, client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    run(output_uri=f"file://{meshes}/banana")
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == []
    assert (meshes / "banana" / "model.glb").is_file()

    client.flushall()
    want(client, 1)
    run(output_uri=f"file://{meshes}/banana")
    client.delete(Keys().end(f"{JOB}-1"), Keys().claim(f"{JOB}-1"))  # it had published, and was killed then
    end_by_the_operator(client, 1, Outcome.CANCELLED, "CANCELLED")
    if flag == "is there":
        job_manager.assert_cancelled(JOB)
    clean_up(JOB)
    assert list(meshes.iterdir()) == []


def test_a_copy_that_may_not_be_deleted_any_more_does_not_keep_the_job_folder(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_before_publishing(meshes)
    configure(monkeypatch, OUTPUT_ROOTS=())
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == []
    assert (meshes / "banana").is_dir()


def test_a_copy_that_cannot_be_deleted_is_deleted_by_the_next_order(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError

    kill_before_publishing(meshes)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", refuse)
        with pytest.raises(PermissionError):
            clean_up(JOB)
    (seen,) = calls.run(client, reads.observe(Keys(), [(JOB, TaskId(JOB, 1))])).jobs
    assert not seen.cleaned
    clean_up(JOB)
    assert list(meshes.iterdir()) == []
    assert list(jobs_dir.iterdir()) == []


def test_a_copy_that_is_gone_is_made_again_when_an_attempt_finds_the_sealed_output(
    client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    run(output_uri=f"file://{meshes}/banana")
    disk.delete_tree(meshes / "banana")
    want(client, 2)
    run(2, output_uri=f"file://{meshes}/banana")
    assert json.loads((meshes / "banana" / "manifest.json").read_text())["attempt"] == 1
    assert (meshes / "banana" / "model.glb").is_file()


def test_a_reported_copy_stays_when_a_late_run_of_the_same_attempt_is_stopped(
    client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    run(output_uri=f"file://{meshes}/banana")
    client.flushall()  # it has forgotten that the attempt ended
    want(client, 1)
    stop(client, 1, StopReason.SUPERSEDED)
    assert run(output_uri=f"file://{meshes}/banana")["status"] == "stopped"
    assert (meshes / "banana" / "model.glb").is_file()


def test_a_copy_that_somebody_else_deletes_at_once_is_a_failure(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has overtaken it, and so nobody else will say what has become of it."""

    def find_it_gone(*_args: object, **_kwargs: object) -> None:
        raise OvertakenError

    monkeypatch.setattr(delivery, "deliver", find_it_gone)
    with pytest.raises(ReconstructionFailedError, match="see who else deletes there"):
        run(output_uri=f"file://{meshes}/banana")
    assert (end(client).outcome, end(client).reason) == (Outcome.FAILED, "WORKER_ERROR")


def test_a_run_that_stood_still_before_it_had_a_folder_leaves_that_of_another_run_alone(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same attempt: Redis has forgotten the first one."""
    begun: list[Path] = []

    def stand_still(*_args: object, **_kwargs: object) -> None:
        client.flushall()
        want(client, 1)
        Ownership(JOB, f"{JOB}-1", 1, "theirs", "w").claim()
        begun.append(workspace.prepare(JOB, f"{JOB}-1", 1).root)

    monkeypatch.setattr(delivery, "check_uri", stand_still)
    with pytest.raises(Ignore):
        run(output_uri=f"file://{meshes}/banana")
    assert list((jobs_dir / JOB / "attempts").iterdir()) == begun


def test_an_output_location_that_is_not_allowed_fails_and_leaves_nothing(client: redis.Redis, jobs_dir: Path) -> None:
    with pytest.raises(ReconstructionFailedError, match="OUTPUT_REFUSED"):
        run(output_uri="file:///etc/meshes")
    assert list(jobs_dir.iterdir()) == []


def test_a_copy_of_a_job_that_is_cancelled_in_the_last_moment_goes_too(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, PLACEHOLDER_STEP_SECONDS=0.3)
    configure(monkeypatch, BEAT_SECONDS=0.02)
    watch = calls.run

    def run_and_watch(redis_client: redis.Redis, call: Any) -> Any:
        if (meshes / "banana").exists():
            job_manager.assert_cancelled(JOB)
        return watch(redis_client, call)

    monkeypatch.setattr(calls, "run", run_and_watch)
    assert run(output_uri=f"file://{meshes}/banana")["status"] == "cancelled"
    assert list(meshes.iterdir()) == []
    assert list(jobs_dir.iterdir()) == []


def test_cleaning_up_deletes_the_files_and_says_so_and_may_be_repeated(client: redis.Redis, jobs_dir: Path) -> None:
    run()
    for _ in range(2):
        clean_up(JOB)
        (seen,) = calls.run(client, reads.observe(Keys(), [(JOB, TaskId(JOB, 1))])).jobs
        assert seen.cleaned
        assert list(jobs_dir.iterdir()) == []


def test_nothing_is_deleted_where_redis_has_forgotten_how_the_job_ended(
    client: redis.Redis, jobs_dir: Path, meshes: Path
) -> None:
    """An order was on its way. Without the flag, which comes back before the record, a cancelled job's copy would stay."""
    run(output_uri=f"file://{meshes}/banana")
    client.flushall()
    clean_up(JOB)
    assert (jobs_dir / JOB / "output").exists()
    assert client.keys() == []
    job_manager.assert_cancelled(JOB)
    want(client, 1)
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == list(meshes.iterdir()) == []


def test_a_cancel_does_not_wait_for_a_dead_mount_and_nothing_is_left_when_that_is_back(
    client: redis.Redis, jobs_dir: Path, meshes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, BEAT_SECONDS=0.02)
    back, done = threading.Event(), threading.Event()
    prepare = workspace.prepare

    def wait(*args: Any) -> workspace.Workspace:
        job_manager.assert_cancelled(JOB)
        back.wait()
        return prepare(*args)

    def discard(space: workspace.Workspace) -> None:
        discarding(space)
        done.set()

    discarding = workspace.Workspace.discard
    monkeypatch.setattr(workspace, "prepare", wait)
    monkeypatch.setattr(workspace.Workspace, "discard", discard)
    assert run(output_uri=f"file://{meshes}/banana")["status"] == "cancelled"
    back.set()
    assert done.wait(60)
    assert list(jobs_dir.iterdir()) == []


def test_an_attempt_that_could_not_take_over_leaves_no_folder(
    client: redis.Redis, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = workspace.prepare(JOB, f"{JOB}-1", 1).root

    def refuse(*_args: object) -> None:
        raise PermissionError

    monkeypatch.setattr(disk, "set_aside", refuse)
    with pytest.raises(ReconstructionFailedError, match="WORKER_ERROR"):
        run()
    assert list((jobs_dir / JOB / "attempts").iterdir()) == [before]


def test_a_note_that_cannot_be_read_keeps_its_folder(client: redis.Redis, jobs_dir: Path, meshes: Path) -> None:
    """It alone knows where a copy may lie."""
    kill_before_publishing(meshes)
    (note,) = (jobs_dir / JOB / "attempts").glob("1-*/owner.json")
    text = note.read_text()
    note.unlink()
    note.mkdir()
    with pytest.raises(OSError, match="directory"):
        clean_up(JOB)
    (kept,) = (jobs_dir / JOB / "attempts").glob("*/owner.json")
    kept.rmdir()
    kept.write_text(text)
    clean_up(JOB)
    assert list(jobs_dir.iterdir()) == list(meshes.iterdir()) == []
