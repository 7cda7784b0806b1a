import pytest

from demo.board import Board, JobView


def job(name: str = "banana", **status: object) -> dict[str, object]:
    return {"metadata": {"name": name}, "status": status}


def progress(index: int, step: str, percent: int) -> dict[str, object]:
    return {"stepIndex": index, "step": step, "percent": percent, "etaSeconds": 7}


FINISHED = {"type": "Finished", "status": "True"}


def test_a_job_shows_its_step_and_percentage_once_it_runs() -> None:
    board = Board().with_job({"metadata": {"name": "banana"}}, 1.0)
    assert board.jobs["banana"] == JobView("banana")
    board = board.with_job(job(phase="Running", progress=progress(3, "Running reconstruction", 40)), 2.0)
    begun = {"Running reconstruction": 2.0}
    assert board.jobs["banana"] == JobView("banana", "Running", 40, "Running reconstruction", 3, 7, steps_begun=begun)


def test_step_lasts_until_the_next_step_is_first_seen() -> None:
    board = Board()
    for at, index, step, percent in ((1.0, 1, "one", 0), (1.5, 1, "one", 5), (4.0, 2, "two", 10), (4.5, 2, "two", 15)):
        board = board.with_job(job(phase="Running", progress=progress(index, step, percent)), at)
    board = board.with_job(job(phase="Succeeded", progress=progress(2, "two", 100), conditions=[FINISHED]), 10.0)
    assert board.jobs["banana"].step_seconds() == {"one": 3.0, "two": 6.0}


def test_a_job_ends_when_it_is_first_seen_finished() -> None:
    board = Board().with_job(job(phase="Failed", conditions=[FINISHED]), 3.0)
    assert board.with_job(job(phase="Failed", conditions=[FINISHED]), 9.0).jobs["banana"].finished_at == 3.0


@pytest.mark.parametrize(
    ("kind", "shown"), [pytest.param("ReconstructionJob", 1, id="a job"), pytest.param("Lease", 0, id="anything else")]
)
def test_only_events_about_jobs_are_shown(kind: str, shown: int) -> None:
    event = {"involvedObject": {"kind": kind, "name": "banana"}, "type": "Normal", "reason": "Started", "message": "m"}
    assert len(Board().with_event(event, 1.0).events) == shown
