"""Many independent pieces of numpy and OpenCV work, on as many threads as the run may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TypeVar

import cv2

from reconstruction_operator.models.photogrammetry.progress import BEAT_SECONDS

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    threads: int,
    done: Callable[[int, int], None],
) -> Sequence[_Result]:
    """`function` of each item, in order; `done(finished, of)` is called in this thread, after each and every second.

    Both libraries release the interpreter lock, so threads do. OpenCV's own threads are off meanwhile: one level of
    parallelism is enough. An exception, also one of `done`, drops what has not begun and is raised.
    """
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(threads)
    try:
        futures = [pool.submit(function, item) for item in items]
        pending = set(futures)
        while pending:
            ended, pending = wait(pending, BEAT_SECONDS, FIRST_COMPLETED)
            for future in ended:
                future.result()
            done(len(futures) - len(pending), len(futures))
        return [future.result() for future in futures]
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        cv2.setNumThreads(threads)
