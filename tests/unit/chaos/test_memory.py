"""Memory of the parts of a chaos run."""

from __future__ import annotations

from chaos.witnesses.memory import Growth, Sample, growth


def samples(minutes: int, *, leak_bytes_per_second: float = 0.0) -> list[Sample]:
    return [Sample(at, int(1000 + leak_bytes_per_second * at)) for at in range(0, 60 * minutes, 5)]


def test_a_leak_shows_as_growth_between_ten_minutes_and_the_end() -> None:
    settled, last = growth(samples(60, leak_bytes_per_second=1.0)) or Growth(0, 0)
    assert 1600 < settled < 1800
    assert 4400 < last < 4600


def test_memory_that_grows_only_at_the_begin_does_not_count() -> None:
    warming = [Sample(at, min(1000 + at, 1500)) for at in range(0, 3600, 5)]
    assert growth(warming) == Growth(1500, 1500)


def test_a_short_run_says_nothing_about_growth() -> None:
    assert growth(samples(15)) is None
    assert growth([]) is None
