from __future__ import annotations

from benchmarks.loads.redis_memory import memory_figures

_MIB = 1024 * 1024


def test_each_kind_of_key_is_extrapolated_by_its_own_ttl() -> None:
    figures = memory_figures({"job": 100.0, "claim": 200.0, "end": 300.0, "records": 50.0, "celery-task-meta": 400.0})
    assert figures["a finished job, bytes"] == 1_050.0
    assert figures["a finished job without its result, bytes"] == 650.0
    assert figures["100,000 jobs a day after a week, MiB"] == (650.0 * 7 + 400.0) * 100_000 / _MIB
    assert figures["the same with objects deleted after a day, MiB"] == 1_050.0 * 100_000 / _MIB
