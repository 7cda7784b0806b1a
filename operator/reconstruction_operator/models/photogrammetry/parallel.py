"""Parallel work: runs independent pieces of numpy and OpenCV work in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

import cv2

from reconstruction_operator.models.photogrammetry import memory

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    threads: int,
    done: Callable[[int, int], None],
    *,
    bytes_each: int = 1,
) -> Sequence[_Result]:
    """Return the results of `function` for the items, in their order.

    Each call needs about `bytes_each` of memory. If memory is short, fewer threads are used.

    `done(finished, of)` is called in this thread after each item. Threads are enough, because both libraries release the interpreter lock. OpenCV's own threads are off meanwhile, since one level of parallelism is enough. An exception of
    `function` or `done` cancels the items that have not begun, and is raised.
    """
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(memory.threads_for(threads, bytes_each))
    try:
        futures = [pool.submit(function, item) for item in items]
        for finished, future in enumerate(as_completed(futures), start=1):
            future.result()
            done(finished, len(futures))
        return [future.result() for future in futures]
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        cv2.setNumThreads(threads)
