from __future__ import annotations

import pytest
from reconstruction_operator.models.photogrammetry.sparse import pairs


def names(count: int) -> list[str]:
    return [f"{index:04d}.jpg" for index in range(count)]


@pytest.mark.parametrize("count", [3, 12, 60])
def test_small_set_gets_all_pairs_once(count: int) -> None:
    chosen = pairs.choose(names(count))
    assert len(chosen) == len(set(chosen)) == count * (count - 1) // 2


@pytest.mark.parametrize("count", [61, 200])
def test_large_set_gets_few_pairs_that_connect_all_photos(count: int) -> None:
    chosen = pairs.choose(names(count))
    assert len(chosen) == len(set(chosen)) == len({frozenset(pair) for pair in chosen})
    assert len(chosen) <= 15 * count
    apart = {min((int(b[:4]) - int(a[:4])) % count, (int(a[:4]) - int(b[:4])) % count) for a, b in chosen}
    assert apart >= {1, 2, 3, 10, 16}
    assert max(apart) > count // 4


def test_pairs_close_the_ring_of_a_walk() -> None:
    chosen = pairs.choose(names(100))
    assert ("0000.jpg", "0099.jpg") in chosen
