from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from kubectl_recon.commands.watching import line, picture
from kubectl_recon.jobs.job import JobEvent
from rich.console import Console

from tests.support.plugin import job

NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
RUNNING = {"percent": 30, "step": "Running reconstruction", "etaSeconds": 270}
JOBS = [
    job("banana", "Running", progress=RUNNING),
    job("a-job-with-a-rather-long-name-for-its-column", "Queued", message="Waiting in queue celery " * 6),
]


def drawn(width: int, rows: int = 10, events: tuple[JobEvent, ...] = ()) -> list[str]:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    with console.capture() as captured:
        console.print(picture(JOBS, events, width, rows, NOW))
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_name_bar_percent_and_time_fit_every_terminal(width: int) -> None:
    first, second = drawn(width)
    assert first.startswith("banana")
    assert "━" in first
    assert " 30% Running, 4m30s left" in first
    assert second.startswith("a-job-with")
    assert "0% Queued, waits 5m" in second
    assert max(map(len, (first, second))) <= width


def test_jobs_that_do_not_fit_are_counted() -> None:
    assert drawn(80, rows=1)[-1] == "and 1 more"


def test_events_are_below_the_jobs_and_cut_to_the_width() -> None:
    (event,) = drawn(60, events=(JobEvent(("team", "banana"), "Warning", "NoWorker", "x" * 90),))[2:]
    assert event.startswith("banana  NoWorker  xxx")
    assert len(event) <= 60


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            job("a", "Running", quality={"registered": "2", "images": "3", "leftOutPhotos": "left out: b.jpg"}),
            "Running, 0%, 2 of 3 photos aligned; left out: b.jpg",
        ),
        (JOBS[0], "Running, 30%, Running reconstruction, 4m30s left"),
        (
            job("a", "Running", progress={"display": "41%"}, quality={"registered": "20", "images": "24"}),
            "Running, 41%, 20 of 24 photos aligned",
        ),
        (job("a", "Pending", message="Waiting for room"), "Pending, Waiting for room"),
        (job("a", "Failed", verdict="Failed", message="Failed: TIMEOUT: late"), "Failed, TIMEOUT: late"),
        (job("a", "Succeeded", outputs={"uri": "s3://m/x/"}), "Succeeded, s3://m/x/"),
        (job("a"), "New"),
    ],
)
def test_a_log_line_has_the_state_of_a_job(change: object, text: str) -> None:
    assert line(change, NOW) == text
