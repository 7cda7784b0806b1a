"""Times and pauses of plans."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from reconstruction_operator.contract.records import Record
from reconstruction_operator.planning.times import backoff, deletion_is_due
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TIMING, in_record, observed

MISSING = observed(order_missing=True)
WAITS = observed()
SINCE = NOW - timedelta(days=2)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 10), (2, 20), (3, 40), (7, 600), (10_000, 600)])
def test_the_backoff_doubles_up_to_its_maximum(failures: int, seconds: float) -> None:
    assert backoff(failures, first_seconds=10, max_seconds=600) == seconds


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def record(sent: datetime | None, orders: int = 1) -> Record:
    return Record(in_record(), sent, orders=orders)


@pytest.mark.parametrize(
    ("held", "seen", "since", "due"),
    [
        pytest.param(None, WAITS, SINCE, True, id="no record"),
        pytest.param(record(None), WAITS, SINCE, True, id="nothing was sent"),
        pytest.param(record(ago(100)), WAITS, ago(99), True, id="the newest message is older than the need"),
        pytest.param(record(ago(98), orders=0), WAITS, ago(99), True, id="its attempt ended before it was marked"),
        pytest.param(record(ago(99)), WAITS, ago(99), False, id="it waits in its queue"),
        pytest.param(record(ago(15)), MISSING, ago(99), True, id="missing for long enough"),
        pytest.param(record(ago(14)), MISSING, ago(99), False, id="missing for a moment"),
        pytest.param(record(ago(-3600)), MISSING, ago(99), True, id="sent before the clock was set back"),
        pytest.param(record(ago(29), orders=2), MISSING, ago(99), False, id="the second pause is twice as long"),
        pytest.param(record(ago(30), orders=2), MISSING, ago(99), True, id="after the second pause"),
        pytest.param(record(ago(3_599), orders=60), MISSING, SINCE, False, id="the longest pause is an hour"),
        pytest.param(record(ago(3_600), orders=60), MISSING, SINCE, True, id="after an hour"),
    ],
)
def test_when_an_order_to_delete_files_is_due(
    held: Record | None, seen: Observation, since: datetime, due: bool
) -> None:
    assert deletion_is_due(held, seen, since, NOW, TIMING) is due
