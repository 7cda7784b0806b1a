"""History of ended jobs: one line a job, whatever happens to the gallery; months expire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from reconstruction_gallery.files.history import Ended, History, Total, totals

DAY = 86_400
NOW = datetime(2026, 3, 10, tzinfo=UTC).timestamp()


def body(name: str = "statue", *, ended: str = "2026-03-09T12:01:30Z", phase: str = "Succeeded") -> dict[str, Any]:
    """An ended job as its object."""
    return {
        "metadata": {
            "namespace": "maps",
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-03-09T11:59:00Z",
        },
        "spec": {"modelType": "photogrammetry", "queue": "celery"},
        "status": {
            "phase": phase,
            "startTime": "2026-03-09T12:00:00Z",
            "completionTime": ended,
            "attempt": 2,
            "worker": "w@1",
            "usage": {"cpuSeconds": 70, "gpuSeconds": 30, "peakMemoryBytes": 1 << 30},
            "inputs": {"images": 12, "bytes": 5_000},
            "outputs": {"bytes": 900},
        },
    }


def job(name: str = "statue", **changes: str) -> Ended:
    return Ended.of(body(name, **changes), "tenant")


@pytest.fixture
def restarted(tmp_path: Path) -> Callable[..., History]:
    """A history in the same folder, as after a restart."""

    def restarted(now: float = NOW, keep_days: int = 90) -> History:
        history = History(tmp_path / "history", keep_days * DAY, clock=lambda: now)
        history.load()
        return history

    return restarted


def test_a_line_says_what_ran_how_it_ended_how_long_and_of_what_size() -> None:
    assert job() == Ended(
        namespace="maps",
        name="statue",
        uid="uid-statue",
        tenant="tenant",
        model="photogrammetry",
        queue="celery",
        phase="Succeeded",
        verdict="Fine",
        reason="",
        created="2026-03-09T11:59:00Z",
        started="2026-03-09T12:00:00Z",
        ended="2026-03-09T12:01:30Z",
        attempts=2,
        worker="w@1",
        seconds=90,
        cpu_seconds=70,
        gpu_seconds=30,
        peak_memory_bytes=1 << 30,
        photos=12,
        photo_bytes=5_000,
        result_bytes=900,
    )


@pytest.mark.parametrize(("phase", "reason"), [("Cancelled", "wrong photos"), ("Succeeded", "")])
def test_a_cancelled_job_has_the_reason_of_its_user(phase: str, reason: str) -> None:
    cancelled = body(phase=phase)
    cancelled["spec"]["cancelReason"] = "wrong photos"

    assert Ended.of(cancelled, "tenant").reason == reason


def test_a_job_that_never_ran_has_no_duration() -> None:
    ended = Ended.of({"metadata": {}, "spec": None, "status": {"completionTime": "2026-03-09T12:00:00Z"}}, "")

    assert (ended.seconds, ended.cpu_seconds, ended.photos, ended.worker) == (None, None, None, "")


def test_each_job_is_recorded_once_also_after_a_restart(restarted: Callable[..., History]) -> None:
    for _ in range(2):
        history = restarted()
        history.record([job("a"), job("b"), job("a")])
        history.record([job("b")])

    assert sorted(ended.name for ended in restarted().all({"maps"})) == ["a", "b"]
    assert restarted().has("uid-a")


def test_a_job_that_two_galleries_have_recorded_counts_once(restarted: Callable[..., History]) -> None:
    galleries = [restarted(), restarted()]
    for history in galleries:
        history.record([job("a")])

    assert [ended.name for ended in restarted().all({"maps"})] == ["a"]


def test_a_torn_line_is_recorded_again_and_harms_no_other(restarted: Callable[..., History], tmp_path: Path) -> None:
    restarted().record([job("a"), job("b")])
    path = tmp_path / "history" / "maps" / "2026-03.jsonl"
    path.write_bytes(path.read_bytes()[:-20])

    history = restarted()
    assert (history.has("uid-a"), history.has("uid-b")) == (True, False)
    history.record([job("b")])

    assert [ended.name for ended in restarted().all({"maps"})] == ["a", "b"]


def test_the_newest_come_first_of_the_namespaces_and_the_time_asked_for(restarted: Callable[..., History]) -> None:
    history = restarted()
    history.record([job("old", ended="2026-01-05T00:00:00Z"), job("new"), job("last", ended="2026-03-09T13:00:00Z")])

    assert [ended.name for ended in history.newest({"maps"}, 2)] == ["last", "new"]
    assert [ended.name for ended in history.newest({"maps"}, 9, since="2026-03-09T12:30:00Z")] == ["last"]
    assert history.newest({"others"}, 9) == []
    assert history.namespaces() == {"maps"}


def test_months_expire_as_a_whole_and_older_jobs_are_not_shown(
    restarted: Callable[..., History], tmp_path: Path
) -> None:
    restarted().record([job("january", ended="2026-01-05T00:00:00Z"), job("march")])

    later = restarted(NOW + 30 * DAY, keep_days=60)  # February 8 and later
    assert [ended.name for ended in later.all({"maps"})] == ["march"]
    later.expire()

    assert [path.name for path in (tmp_path / "history" / "maps").iterdir()] == ["2026-03.jsonl"]
    assert not later.has("uid-january")
    later.record([job("january", ended="2026-01-05T00:00:00Z")])
    assert not later.has("uid-january"), "its object may still exist"


@pytest.mark.parametrize(
    ("namespace", "ended"), [("../x", "2026-03-09T12:00:00Z"), ("maps", "../../2026"), ("maps", "9999-12-01T00:00:00Z")]
)
def test_a_job_with_an_unsafe_name_or_time_is_left_out(
    restarted: Callable[..., History], namespace: str, ended: str
) -> None:
    unsafe = body(ended=ended)
    unsafe["metadata"]["namespace"] = namespace
    history = restarted()

    history.record([Ended.of(unsafe, "")])

    assert history.namespaces() == frozenset()


def test_totals_are_by_namespace_and_month() -> None:
    jobs = [job("a"), job("b", phase="Failed"), job("c", ended="2026-02-01T00:00:00Z", phase="Cancelled")]

    assert totals(jobs) == [
        Total("maps", "2026-03", 2, 1, 1, 0, 180, 140, 60, 24, 1800),
        Total("maps", "2026-02", 1, 0, 0, 1, jobs[2].seconds or 0, 70, 30, 12, 900),
    ]
