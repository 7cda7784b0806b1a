"""Which faults come in which round, for how long, and what follows: all of it from the seed alone.

What a fault then picks among the jobs and processes that it finds depends on the machine's timing as well.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chaos.faults.table import NO_FAULT, Fault

_MAX_COMBINED = 3
_ORDER = ("nothing", "objects", "messages", "operators", "workers", "models", "disk", "network", "redis", "kubernetes")
"""Faults that need the API server or Redis themselves come before those that take it away."""

_WAITS = 0.8
_MEASURES = 0.3


@dataclass(frozen=True, slots=True)
class Round:
    """Faults that are on together."""

    number: int
    faults: tuple[Fault, ...]
    hold_seconds: float
    waits: bool  # until all jobs move again; else the next round comes while they still recover
    measures: bool  # how far the status is behind, after that
    chance: random.Random  # what its faults pick by


def rounds(seed: int, faults: Sequence[Fault], *, alone_first: bool) -> Iterator[Round]:
    """Without end: a shuffled deck of all faults, dealt again and again, each time after a round without any.

    With `alone_first` those of the first deck come one by one, and each is waited for; later up to three are combined.
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
            held = [chance.uniform(*one.hold) for one in hand]
            waits, measures = chance.random() < _WAITS, chance.random() < _MEASURES
            yield Round(
                number=number,
                faults=tuple(sorted(hand, key=lambda one: _ORDER.index(one.on))),
                hold_seconds=max(held),
                waits=waits or alone or hand == [NO_FAULT],
                measures=measures,
                chance=random.Random(f"{seed}/round/{number}"),  # noqa: S311 -- the same
            )
        alone = False


def _hand(deck: list[Fault], chance: random.Random) -> list[Fault]:
    """One to three from the deck, on different things."""
    count = chance.randint(1, _MAX_COMBINED)
    chosen = [deck.pop()]
    for one in list(reversed(deck)):
        if len(chosen) < count and all(one.on != other.on for other in chosen):
            chosen.append(one)
            deck.remove(one)
    return chosen
