from __future__ import annotations

import threading

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
