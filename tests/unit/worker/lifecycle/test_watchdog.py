"""A worker that is to end and does not is killed, and no other."""

import threading

from reconstruction_operator.worker.lifecycle.watchdog import LastResort

_GUARD_SECONDS = 30.0  # against hanging


def watch(stopping: threading.Event, killed: threading.Event, patience_seconds: float) -> LastResort:
    one = LastResort(stopping.is_set, patience_seconds=patience_seconds, kill=killed.set, look_seconds=0.01)
    one.start()
    return one


def test_one_that_does_not_come_to_its_end_is_killed() -> None:
    stopping, killed = threading.Event(), threading.Event()
    watch(stopping, killed, patience_seconds=0.05)

    assert not killed.wait(0.2), "nobody has told it to end"
    stopping.set()
    assert killed.wait(_GUARD_SECONDS)


def test_one_that_ends_in_time_is_not() -> None:
    stopping, killed = threading.Event(), threading.Event()
    one = watch(stopping, killed, patience_seconds=_GUARD_SECONDS)

    stopping.set()
    one.end()
    one._thread.join(_GUARD_SECONDS)

    assert not one._thread.is_alive()
    assert not killed.is_set()


def test_one_that_ends_without_having_been_told_leaves_no_watch_behind() -> None:
    stopping, killed = threading.Event(), threading.Event()
    one = watch(stopping, killed, patience_seconds=0.0)

    one.end()
    one._thread.join(_GUARD_SECONDS)

    assert not one._thread.is_alive()
    assert not killed.is_set()
