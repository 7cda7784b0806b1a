"""Estimates of a quality's duration: by the last jobs of the queue that were computed whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reconstruction_gallery.files.estimating import qualities


def detail(seconds: int = 100, queue: str = "celery", quality: str = "fast", **status: Any) -> bytes:
    began = datetime(2026, 12, 1, 10, tzinfo=UTC)
    ended = began + timedelta(seconds=seconds)
    times = {"startTime": began.isoformat(), "completionTime": ended.isoformat()}
    spec = {"modelType": "photogrammetry", "queue": queue, "parameters": {"quality": quality}}
    return json.dumps({"spec": spec, "status": {"attempt": 1, "inputs": {"images": 12}, **times, **status}}).encode()


def seconds(details: list[bytes], photos: int = 12, queue: str = "celery") -> dict[str, float | None]:
    return {one["name"]: one["seconds"] for one in qualities(details, queue, photos)}


def test_the_same_job_takes_as_long_again_and_a_finer_one_longer() -> None:
    found = seconds([detail(100)])
    assert list(found) == ["preview", "fast", "standard", "high"]
    assert found["fast"] == pytest.approx(100)
    assert found["preview"] < 100 < found["standard"] < found["high"]
    assert seconds([detail(100)], photos=24)["fast"] > 150


def test_the_speed_is_the_median_of_the_last_ten_jobs_of_that_quality() -> None:
    jobs = [detail(100), detail(50), detail(90), *[detail(100)] * 7, *[detail(1)] * 20]
    assert seconds([detail(1, quality="high"), *jobs])["fast"] == pytest.approx(100)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(detail(queue="gpu"), id="of-another-queue"),
        pytest.param(detail(simulated=True), id="simulated"),
        pytest.param(detail(attempt=2), id="retried"),
        pytest.param(detail(reusedFrom={"uid": "a"}), id="reused"),
        pytest.param(detail(progress={"resumedFrom": "depths"}), id="resumed"),
        pytest.param(detail(inputs={}), id="of-unknown-photos"),
        pytest.param(detail(completionTime=None), id="without-an-end"),
        pytest.param(detail(quality="from-the-future"), id="of-another-version"),
        pytest.param(detail(0), id="in-no-time"),
    ],
)
def test_other_jobs_show_no_speed(other: bytes) -> None:
    assert set(seconds([other]).values()) == {None}


def test_what_a_quality_gives_is_told_without_any_job() -> None:
    assert [one["gives"] for one in qualities([], "celery", 1)][1] == "40,000 triangles, texture of 2048 x 2048"
