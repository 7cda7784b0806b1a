from datetime import UTC, datetime, timedelta

import pytest
from kubectl_recon.jobs.times import parse_duration, parse_time, seconds_between


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1m30s", 90)]
)
def test_a_duration_is_parsed_as_in_kubectl(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5x", "m5", "5m!", "-5s", "1.5h"])
def test_an_invalid_duration_is_rejected_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write 30s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "known"), [("2026-03-01T12:00:00Z", True), ("soon", False), (None, False), (5, False)]
)
def test_an_invalid_time_is_unknown(text: object, known: bool) -> None:
    assert parse_time(text) == (datetime(2026, 3, 1, 12, tzinfo=UTC) if known else None)


def test_a_clock_that_is_behind_never_yields_a_negative_duration() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert seconds_between(now, now - timedelta(seconds=5)) == 0
    assert seconds_between(None, now) is None
