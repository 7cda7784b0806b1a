"""Interrupts: signals raise an exception in the main thread, and no library can lose it.

Python drops an exception that a signal handler raises inside a weakref callback, a `__del__`, a callback of the garbage
collector or a fork hook ("Exception ignored in ..."). The program would then wait for ever. A timer therefore raises
the exception again until the main thread handles it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RETRY_SECONDS = 0.1


def interruptible(error: Callable[[int], BaseException] = lambda _number: KeyboardInterrupt()) -> None:
    """Let the first signal raise `error(number)`. Ignore later ones, which must not interrupt the clean-up."""

    def interrupt(number: int, _frame: object) -> None:
        _ignore_signals()
        raise_until_handled(error(number))

    for number in SIGNALS:
        signal.signal(number, interrupt)


def uninterruptible() -> None:
    """Ignore the signals from now on: only SIGKILL ends the program."""
    _ignore_signals()
    signal.setitimer(signal.ITIMER_REAL, 0)


def raise_until_handled(error: BaseException) -> NoReturn:
    """Raise an exception from a signal handler, and repeat it until the main thread handles one of its type."""

    def again(_number: int, _frame: object) -> None:
        if _is_handled(type(error)):
            signal.setitimer(signal.ITIMER_REAL, 0)
        else:
            raise error

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _RETRY_SECONDS, _RETRY_SECONDS)
    raise error


def _is_handled(kind: type[BaseException]) -> bool:
    """Whether the code that the signal interrupted is in an `except`, `finally` or `__exit__` for such an exception."""
    handled = sys.exc_info()[1]
    while handled is not None and not isinstance(handled, kind):
        handled = handled.__context__
    return handled is not None


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
