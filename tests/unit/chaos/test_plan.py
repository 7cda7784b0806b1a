"""A seed determines the whole plan of a run, independent of the run's events."""

from itertools import islice

import pytest

from chaos.faults import all_faults
from chaos.faults.table import NO_FAULT
from chaos.plan import Round, rounds

FAULTS = all_faults()


def plan(seed: int, count: int, *, alone_first: bool = True, spend: int = 0) -> list[Round]:
    made = []
    for one in islice(rounds(seed, FAULTS, alone_first=alone_first), count):
        for _ in range(spend):
            one.chance.random()  # as its faults do
        made.append(one)
    return made


def summary(plan: list[Round]) -> list[object]:
    return [
        (one.number, [fault.name for fault in one.faults], one.hold_seconds, one.waits, one.measures) for one in plan
    ]


def test_a_seed_gives_the_same_plan_however_many_numbers_faults_draw() -> None:
    assert summary(plan(4, 200)) == summary(plan(4, 200, spend=7))
    assert plan(4, 200)[150].chance.random() == plan(4, 200)[150].chance.random()


def test_another_seed_gives_another_plan() -> None:
    assert summary(plan(4, 60)) != summary(plan(5, 60))


def test_each_fault_first_comes_alone_with_a_wait_for_recovery() -> None:
    first = plan(1, len(FAULTS) + 1)

    assert [one.faults for one in first[:1]] == [(NO_FAULT,)]
    assert {one.faults[0].name for one in first[1:]} == {fault.name for fault in FAULTS}
    assert all(len(one.faults) == 1 and one.waits for one in first)


def test_later_rounds_combine_up_to_three_targets_and_omit_no_fault() -> None:
    later = plan(1, 3 * len(FAULTS))[len(FAULTS) + 1 :]

    assert {len(one.faults) for one in later} == {1, 2, 3}
    assert all(len({fault.on for fault in one.faults}) == len(one.faults) for one in later)
    assert {fault.name for one in later for fault in one.faults} == {fault.name for fault in FAULTS} | {NO_FAULT.name}
    assert {one.waits for one in later} == {True, False}


@pytest.mark.parametrize("one", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_held_within_its_limits(one: object) -> None:
    held = [round_.hold_seconds for round_ in plan(2, len(FAULTS) + 1) if round_.faults == (one,)]

    assert len(held) == 1
    assert one.hold[0] <= held[0] <= one.hold[1]  # type: ignore[attr-defined]
