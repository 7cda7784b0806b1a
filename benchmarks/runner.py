"""Runner: measures the chosen rows one after the other. A failed repetition loses no figures of others."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence

from benchmarks import report
from benchmarks.report import Figures, Result
from benchmarks.rows import Row


def chosen(rows: Sequence[Row], only: Sequence[str], *, long: bool) -> list[Row]:
    """Return the rows whose name contains one of the texts; without texts, all rows, long ones only if `long`."""
    if only:
        return [row for row in rows if any(text in row.name for text in only)]
    return [row for row in rows if long or not row.long]


def results(rows: Sequence[Row], repeat: int, progress: Callable[[str], None]) -> Iterator[list[Result]]:
    """Yield the results so far after each repetition."""
    done: list[Result] = []
    for row in rows:
        repetitions: list[Figures] = []
        errors: list[str] = []
        begun, measured = time.monotonic(), report.now()
        for number in range(repeat):
            progress(f"{row.name}: {number + 1} of {repeat}")
            try:
                repetitions.append(row.measure())
            except Exception as error:  # noqa: BLE001 -- an error of one row must not stop the others
                progress(traceback.format_exc())
                errors.append(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            now = Result(row.name, tuple(repetitions), tuple(errors), time.monotonic() - begun, measured)
            yield [*done, now]
        done.append(now)
