"""Thread count of a model: the setting, or the CPUs that affinity and container limit allow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reconstruction_operator.worker.model.usage import usable_threads

OWN = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("setting", "limit", "expected"),
    [
        pytest.param(7, "100000 100000", 7, id="the setting wins"),
        pytest.param(0, "100000 100000", 1, id="one CPU"),
        pytest.param(0, "50000 100000", 1, id="half a CPU is one thread"),
        pytest.param(0, "99900000 100000", OWN, id="more than affinity allows"),
        pytest.param(0, "max 100000", OWN, id="no limit"),
        pytest.param(0, "100000 0", OWN, id="no period"),
        pytest.param(0, "nonsense", OWN, id="another format"),
        pytest.param(0, None, OWN, id="no cgroup v2"),
    ],
)
def test_the_thread_count_follows_setting_affinity_and_limit(
    setting: int, limit: str | None, expected: int, tmp_path: Path
) -> None:
    file = tmp_path / "cpu.max"
    if limit is not None:
        file.write_text(f"{limit}\n")

    assert usable_threads(setting, file) == expected


def test_affinity_limits_the_thread_count(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_threads(0, tmp_path / "missing") == 1
    finally:
        os.sched_setaffinity(0, before)
