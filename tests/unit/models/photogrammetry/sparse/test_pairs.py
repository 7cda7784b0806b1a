from __future__ import annotations

import pytest
from reconstruction_operator.models.photogrammetry.sparse import pairs


def names(count: int) -> list[str]:
    return [f"{index:04d}.jpg" for index in range(count)]


@pytest.mark.parametrize("count", [3, 12, 60])
def test_in_a_small_set_each_photo_meets_each_other_once(count: int) -> None:
    chosen = pairs.choose(names(count))
    assert len(chosen) == len(set(chosen)) == count * (count - 1) // 2


@pytest.mark.parametrize("count", [61, 200])
def test_a_large_set_is_compared_with_few_pairs_that_reach_everywhere(count: int) -> None:
    chosen = pairs.choose(names(count))
    assert len(chosen) == len(set(chosen)) == len({frozenset(pair) for pair in chosen})
    assert len(chosen) <= 15 * count
    apart = {min((int(b[:4]) - int(a[:4])) % count, (int(a[:4]) - int(b[:4])) % count) for a, b in chosen}
    assert apart >= {1, 2, 3, 10, 16}
    assert max(apart) > count // 4


def test_a_walk_around_an_object_ends_where_it_began() -> None:
    chosen = pairs.choose(names(100))
    assert ("0000.jpg", "0099.jpg") in chosen
