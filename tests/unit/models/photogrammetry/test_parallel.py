from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry import parallel


def nowhere(done: int, of: int) -> None:
    pass


def test_each_returns_results_in_order_and_reports_them() -> None:
    reported: list[tuple[int, int]] = []
    squares = parallel.each(lambda x: x * x, range(5), 3, lambda done, of: reported.append((done, of)))
    assert squares == [0, 1, 4, 9, 16]
    assert reported == sorted(reported)
    assert reported[-1] == (5, 5)


def test_each_raises_a_failure_and_cancels_pending_items() -> None:
    begun: list[int] = []
    released = threading.Event()

    def one(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise ZeroDivisionError
        released.wait(60)

    with pytest.raises(ZeroDivisionError):
        parallel.each(one, range(100), 2, nowhere)
    released.set()
    assert len(begun) < 10


def test_each_restores_the_number_of_opencv_threads() -> None:
    cv2.setNumThreads(2)
    parallel.each(lambda x: cv2.blur(np.zeros((9, 9), np.float32), (x, x)), [3, 5], 2, nowhere)
    assert cv2.getNumThreads() == 2


def test_opencv_out_of_memory_raises_memory_error() -> None:
    def too_large(side: int) -> object:
        return cv2.resize(np.zeros((1, 1, 3), np.float64), (side, side))

    with pytest.raises(MemoryError):
        parallel.each(too_large, [3_000_000], 1, nowhere)


MACHINE = {"proc/meminfo": "MemTotal:       16000 kB\nMemAvailable:    9000 kB\n"}
STAT = "anon 1000\ninactive_file 50000\nactive_file 7\n"


def written(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def limited(most: str, used: str) -> dict[str, str]:
    group = "sys/fs/cgroup/"
    return {**MACHINE, group + "memory.max": most, group + "memory.current": used, group + "memory.stat": STAT}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        pytest.param(MACHINE, 9000 * 1024, id="a-machine"),
        pytest.param(limited("4000000\n", "1000000\n"), 3_050_000, id="a-container"),
        pytest.param(limited("max\n", "1000000\n"), 9000 * 1024, id="a-container-without-a-limit"),
        pytest.param(limited("99000000000\n", "1000000\n"), 9000 * 1024, id="a-limit-above-the-machine"),
        pytest.param(limited("1000000\n", "1090000\n"), 0, id="nothing-is-left"),
        pytest.param(
            {
                **MACHINE,
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "5000000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "2000000\n",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1000\n",
            },
            3_001_000,
            id="the-first-version-of-control-groups",
        ),
    ],
)
def test_available_memory_is_the_minimum_of_machine_and_container(
    files: Mapping[str, str], left: int, tmp_path: Path
) -> None:
    assert parallel.available_bytes(written(tmp_path, files)) == left


@pytest.mark.parametrize(("bytes_each", "threads"), [(1_000_000, 4), (2_500_000, 2), (90_000_000, 1)])
def test_threads_are_as_many_as_the_memory_serves(bytes_each: int, threads: int, tmp_path: Path) -> None:
    assert parallel.threads_for(4, bytes_each, written(tmp_path, MACHINE)) == threads
