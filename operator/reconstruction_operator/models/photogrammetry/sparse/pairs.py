"""Pair selection: all pairs for small sets; neighbours and a few distant photos for large sets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

EXHAUSTIVE_UP_TO = 60  # photos: 1,770 pairs, a few minutes on two cores
_WINDOW = 10  # photos on either side that are always compared


def choose(names: Sequence[str]) -> list[tuple[str, str]]:
    """Each pair once, of `names` in the order in which the photos were taken.

    Beyond the window each photo is paired with those 16, 32, 64, ... further on. The order is a ring: a walk around
    an object ends where it began.
    """
    count = len(names)
    if count <= EXHAUSTIVE_UP_TO:
        return list(itertools.combinations(names, 2))
    offsets = list(range(1, _WINDOW + 1))
    power = 16
    while power <= count // 2:
        offsets.append(power)
        power *= 2
    chosen = {tuple(sorted((index, (index + offset) % count))) for index in range(count) for offset in offsets}
    return [(names[first], names[second]) for first, second in sorted(chosen)]
