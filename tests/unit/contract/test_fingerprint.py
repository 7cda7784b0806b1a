from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.contract.fingerprint import InputFile, input_digest, recipe

PHOTOS = (InputFile("1.jpg", 100, "aa"), InputFile("2.jpg", 200, "bb"))


def test_the_order_of_the_files_does_not_count() -> None:
    assert input_digest("sha256", PHOTOS) == input_digest("sha256", reversed(PHOTOS))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param((PHOTOS[0],), id="one-left-out"),
        pytest.param((*PHOTOS, PHOTOS[0]), id="one-twice"),
        pytest.param((PHOTOS[0], replace(PHOTOS[1], name="3.jpg")), id="another-name"),
        pytest.param((PHOTOS[0], replace(PHOTOS[1], bytes=201)), id="another-size"),
        pytest.param((PHOTOS[0], replace(PHOTOS[1], mark="cc")), id="another-content"),
    ],
)
def test_another_input_has_another_digest(changed: tuple[InputFile, ...]) -> None:
    assert input_digest("sha256", changed) != input_digest("sha256", PHOTOS)


def test_digests_of_different_kinds_are_never_equal() -> None:
    assert input_digest("etag", PHOTOS).partition(":")[2] != input_digest("sha256", PHOTOS).partition(":")[2]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(recipe("other", "1", {"quality": "fast"}), id="model"),
        pytest.param(recipe("model", "2", {"quality": "fast"}), id="version"),
        pytest.param(recipe("model", "1", {"quality": "standard"}), id="parameter"),
        pytest.param(recipe("model", "1", {"quality": "fast", "seed": None}), id="one-more-parameter"),
    ],
)
def test_another_recipe_has_another_digest(other: str) -> None:
    assert other != recipe("model", "1", {"quality": "fast"})


def test_the_order_of_parameters_does_not_count() -> None:
    assert recipe("model", "1", {"a": 1, "b": 2}) == recipe("model", "1", {"b": 2, "a": 1})


@given(st.lists(st.tuples(st.text(), st.text()), min_size=2, max_size=4, unique=True))
def test_names_cannot_be_shifted_into_marks(pairs: list[tuple[str, str]]) -> None:
    digests = {input_digest("sha256", [InputFile(name, 1, mark)]) for name, mark in pairs}
    assert len(digests) == len(pairs)
