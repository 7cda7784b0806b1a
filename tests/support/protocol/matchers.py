"""Values of which only a part is known, such as a time that only Redis knows: they equal each value that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

TOLERANCE_MS: Final = 120_000  # how much of a TTL may pass between a call and its check


class _Now:
    """A time that Redis's clock gave just now, as a number or as digits."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other.isdigit() and int(other) > 1.7e12
        return not isinstance(other, bool) and isinstance(other, int | float) and other > 1.7e12

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "now"


NOW: Final = _Now()


@dataclass
class NewEpoch:
    """The id of an epoch that began just now."""

    rest: str

    def __eq__(self, other: object) -> bool:
        time, _, rest = str(other).partition("-")
        return time == NOW and rest == self.rest

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Left:
    """What is left of a TTL."""

    ttl_ms: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and self.ttl_ms - TOLERANCE_MS < other <= self.ttl_ms

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Unordered:
    """A list in any order."""

    items: set[str]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and sorted(other) == sorted(self.items)

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Pairs:
    """Names and values in turns, the pairs in any order."""

    items: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list) and dict(zip(other[::2], other[1::2], strict=True)) == self.items

    __hash__ = None  # type: ignore[assignment]
