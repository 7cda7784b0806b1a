"""Repeat: the first stage or file that differs between runs is named."""

from __future__ import annotations

import pytest

from benchmarks.repeat import Digests, first_difference

FIRST = Digests("threads 1", {"photos": "a", "depths": "b", "model.glb": "c"})


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param({"photos": "a", "depths": "b", "model.glb": "c"}, "", id="equal"),
        pytest.param({"depths": "b", "model.glb": "c"}, "", id="continued"),
        pytest.param({"photos": "a", "depths": "x", "model.glb": "y"}, "different: depths ", id="a-stage"),
        pytest.param({"photos": "a", "depths": "b", "model.glb": "y"}, "different: model.glb ", id="a-file"),
    ],
)
def test_the_first_difference_is_named(other: dict[str, str], expected: str) -> None:
    difference = first_difference([FIRST, FIRST, Digests("threads 2", other)])
    assert difference.startswith(expected)
    assert bool(difference) is bool(expected)
    assert not expected or "threads 2" in difference
