"""Timeline: a look that finds fewer looks than are known has found older data."""

from __future__ import annotations

import pytest
from reconstruction_operator.state.timeline import MAX_LOOKS, LookCounts, Timeline


@pytest.mark.parametrize(
    ("known", "looks", "went_back"),
    [
        pytest.param(0, LookCounts(0, 1), False, id="the first look"),
        pytest.param(7, LookCounts(7, 8), False, id="the next look"),
        pytest.param(7, LookCounts(9, 10), False, id="others looked in between"),
        pytest.param(7, LookCounts(7, 7), False, id="Redis refuses to count"),
        pytest.param(7, LookCounts(6, 7), True, id="older data the last look"),
        pytest.param(7, LookCounts(0, 0), True, id="without an epoch"),
    ],
)
def test_a_look_that_finds_fewer_looks_found_older_data(known: int, looks: LookCounts, *, went_back: bool) -> None:
    assert Timeline(known).went_back(looks, known) is went_back


def test_older_data_is_found_again_until_another_epoch_begins() -> None:
    timeline = Timeline(7)

    assert timeline.went_back(LookCounts(6, 7), 7)
    assert timeline.went_back(LookCounts(7, 8), timeline.known)
    assert not timeline.went_back(LookCounts(timeline.known, timeline.known + 1), timeline.known)


def test_replies_in_another_order_are_not_older_data() -> None:
    timeline = Timeline(7)

    assert not timeline.went_back(LookCounts(8, 9), 7)
    assert not timeline.went_back(LookCounts(7, 8), 7)
    assert timeline.known == 9


def test_absurd_numbers_of_looks_are_ignored() -> None:
    timeline = Timeline(7)
    timeline.learn(MAX_LOOKS + 1)
    assert timeline.known == 7

    timeline.went_back(LookCounts(MAX_LOOKS, MAX_LOOKS), 7)
    assert not timeline.went_back(LookCounts(MAX_LOOKS, MAX_LOOKS), timeline.known)
