"""Latency: figures from reports and watch events."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.loads.latency import Reports, progress_figures


def event(now: float, task: str, step: int) -> tuple[float, dict[str, Any]]:
    return now, {"status": {"taskId": task, "progress": {"stepIndex": step}}}


def test_a_report_is_shown_by_the_first_event_with_its_step_or_a_later_one() -> None:
    reported = {("a-1", 1): 10.0, ("a-1", 2): 11.0, ("b-1", 1): 10.0}
    events = [event(10.25, "a-1", 1), event(10.5, "b-1", 2), event(11.25, "a-1", 3), event(12.0, "a-1", 3)]

    figures = progress_figures(reported, events, 2)

    assert figures == {
        "report -> watch event p50, s": 0.25,
        "report -> watch event p99, s": 0.5,
        "steps seen of 6": 1.5,
    }


def test_only_the_first_report_of_a_step_counts() -> None:
    reports = Reports()
    for now, status, step in ((1.0, "STARTED", 1), (2.0, "PROGRESS", 1), (3.0, "PROGRESS", 1), (4.0, "PROGRESS", 2)):
        reports.take("celery-task-meta-a-1", json.dumps({"status": status, "result": {"stepIndex": step}}), now)

    assert reports.at == {("a-1", 1): 2.0, ("a-1", 2): 4.0}
