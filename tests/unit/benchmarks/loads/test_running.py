import pytest

from benchmarks.clients import ApiError, Watched
from benchmarks.fleet.journal import Journal
from benchmarks.loads.running import seen_figures

WINDOW = (10.0, 20.0)


def event(uid: str, name: str, phase: str, percent: int = 0) -> dict[str, object]:
    status = {"phase": phase, "progress": {"percent": percent}}
    return {"metadata": {"namespace": "bench", "name": name, "uid": uid}, "status": status}


def watched(*events: tuple[float, dict[str, object]]) -> Watched:
    seen = Watched(keep_events=True)
    for at, body in events:
        seen.take(body, at)
    return seen


def test_what_a_watcher_saw_is_compared_with_what_the_fleet_did() -> None:
    seen = watched(
        (1.0, event("a", "long-0", "Running")),
        (12.3, event("a", "long-0", "Running", 10)),
        (13.0, event("a", "long-0", "Running", 10)),  # another field has changed
        (15.5, event("a", "long-0", "Running", 14)),
        (11.2, event("b", "brief-0", "Running")),
        (16.4, event("b", "brief-0", "Succeeded")),
        (25.0, event("a", "long-0", "Succeeded", 100)),
    )
    done = Journal(
        claimed={"a": 0.5, "b": 11.0},
        ended={"a": 24.0, "b": 16.0},
        reported={"a": [(12.0, 10), (12.2, 10), (15.0, 14)]},
    )
    assert seen_figures(seen, done, WINDOW) == pytest.approx(
        {
            "phase changes p50, s": 0.2,
            "phase changes p99, s": 0.4,
            "report -> watcher p50, s": 0.3,
            "report -> watcher p99, s": 0.5,
            "updates/job/min, fewest": 12.0,
            "updates/job/min, median": 12.0,
            "longest time without update, median job, s": 4.5,
            "longest time without update, worst job, s": 4.5,
        }
    )


def test_a_long_job_that_ends_too_early_makes_the_figures_invalid() -> None:
    seen = watched((1.0, event("a", "long-0", "Running")))
    with pytest.raises(ApiError, match="ended during"):
        seen_figures(seen, Journal(ended={"a": 15.0}), WINDOW)
