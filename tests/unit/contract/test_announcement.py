"""Announcements: their text, and what is left out of a malformed or too long one."""

from __future__ import annotations

import pytest
from reconstruction_operator.contract import announcement
from reconstruction_operator.contract.announcement import ModelInfo

MODELS = {"a": ModelInfo("1.2", {"type": "object"}), "b": ModelInfo("", None, simulated=True, reads_photos=False)}


def test_an_announcement_survives_its_text() -> None:
    text = announcement.to_text(MODELS)
    assert announcement.from_text(text) == MODELS
    assert announcement.is_digest(announcement.digest(text))


def test_the_order_of_the_models_changes_nothing() -> None:
    assert announcement.to_text(MODELS) == announcement.to_text(dict(reversed(MODELS.items())))


def test_schemas_are_left_out_of_a_text_that_would_be_too_long() -> None:
    models = announcement.from_text(announcement.to_text({"a": ModelInfo("1", {"x": "y" * announcement.MAX_BYTES})}))
    assert models == {"a": ModelInfo("1", None)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{}", {}, id="empty"),
        pytest.param('{"a": 5, "b": {}}', {"b": ModelInfo()}, id="an invalid model"),
        pytest.param('{"a": {"version": 5, "parameters": [], "new": 1}}', {"a": ModelInfo()}, id="invalid fields"),
    ],
)
def test_malformed_parts_are_left_out(text: str, expected: dict[str, ModelInfo]) -> None:
    assert announcement.from_text(text) == expected


@pytest.mark.parametrize("name", [None, 5, "", "x" * 32, "a" * 31])
def test_other_values_are_not_digests(name: object) -> None:
    assert not announcement.is_digest(name)
