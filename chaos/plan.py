"""Plan of a run: which faults each round has, and for how long. It depends on the seed alone.

Which jobs and processes a fault hits depends on the machine's timing too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chaos.faults.table import NO_FAULT, Fault

_MAX_COMBINED = 3
_ORDER = (
    "nothing",
    "objects",
    "messages",
    "operators",
    "workers",
    "models",
    "disk",
    "mounts",
    "ports",
    "gallery",
    "storage",
    "network",
    "redis",
    "kubernetes",
)
"""Order within a round: faults that need the API server or Redis come before those that remove it."""

_WAITS = 0.8
_MEASURES = 0.3


@dataclass(frozen=True, slots=True)
class Round:
    """Faults that are active together."""

    number: int
    faults: tuple[Fault, ...]
    hold_seconds: float
    waits: bool  # for recovery; False: the next round starts while jobs still recover
    measures: bool  # after recovery, how late statuses are
    chance: random.Random  # for the choices of the faults


def rounds(seed: int, faults: Sequence[Fault], *, alone_first: bool) -> Iterator[Round]:
    """Yield rounds forever: each pass starts with a round without faults, then has all faults in random order.

    With `alone_first`, the first pass has one fault a round and waits after each. Other passes combine up to three.
    """
    chance = random.Random(seed)  # noqa: S311 -- reproducible on purpose
    number = 0
    alone = alone_first
    while True:
        deck = chance.sample(list(faults), len(faults))
        hands: list[list[Fault]] = [[NO_FAULT]]
        while deck:
            hands.append([deck.pop()] if alone else _hand(deck, chance))
        for hand in hands:
            number += 1
            held = [chance.uniform(*fault.hold) for fault in hand]
            waits = chance.random() < _WAITS
            measures = chance.random() < _MEASURES
            yield Round(
                number=number,
                faults=tuple(sorted(hand, key=lambda fault: _ORDER.index(fault.on))),
                hold_seconds=max(held),
                waits=waits or alone or hand == [NO_FAULT],
                measures=measures,
                chance=random.Random(f"{seed}/round/{number}"),  # noqa: S311 -- the same
            )
        alone = False


def _hand(deck: list[Fault], chance: random.Random) -> list[Fault]:
    """Take one to three faults with different targets from the deck."""
    count = chance.randint(1, _MAX_COMBINED)
    chosen = [deck.pop()]
    for fault in list(reversed(deck)):
        if len(chosen) < count and all(fault.on != other.on for other in chosen):
            chosen.append(fault)
            deck.remove(fault)
    return chosen
