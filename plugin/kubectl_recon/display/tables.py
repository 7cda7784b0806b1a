"""Tables as in kubectl: no rules, and columns as wide as their content. On a terminal they fit its width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from kubectl_recon.display.screen import Screen

_GAP: Final = "   "
_NARROW_GAP: Final = "  "
_CUT: Final = "…"
_NAMED: Final = 5  # names in a sentence
_LEAST_CELLS: Final = 12  # minimum width of a column that is cut
_WORTH_CELLS: Final = 40  # of a column that is cut: for more, no other column is dropped

T = TypeVar("T")


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column.

    `drop`: a narrow terminal drops columns with higher numbers first, and 0 never. `cut`: texts may be shortened.
    """

    title: str
    cell: Callable[[T], str]
    drop: int = 0
    cut: bool = False
    colour: Callable[[T], str] | None = None


def table(columns: Sequence[Column[T]], rows: Sequence[T], screen: Screen) -> list[str]:
    """Return the lines of the table, without empty columns."""
    cells = {column.title: [column.cell(row) for row in rows] for column in columns}
    fitting = [column for column in columns if any(cells[column.title])] if rows else list(columns)
    widths = {c.title: max([len(c.title), *map(len, cells[c.title])]) for c in fitting}
    gap = _GAP
    if screen.width is not None:
        fitting, gap = _fitting(fitting, widths, screen.width)
    lines = [gap.join(c.title.ljust(widths[c.title]) for c in fitting).rstrip()]
    for number, row in enumerate(rows):
        parts = []
        for column in fitting:
            text = cells[column.title][number]
            width = widths[column.title]
            text = text if len(text) <= width else text[: width - len(_CUT)] + _CUT
            padding = " " * (width - len(text))
            parts.append(screen.styled(text, column.colour(row) if column.colour else "") + padding)
        lines.append(gap.join(parts).rstrip())
    return lines


def names(several: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    more = f" and {len(several) - _NAMED} more" if len(several) > _NAMED else ""
    return ", ".join(several[:_NAMED]) + more


def _fitting(fitting: list[Column[T]], widths: dict[str, int], width: int) -> tuple[list[Column[T]], str]:
    """Return the columns that fit, and their gap: first narrow the gaps, then drop columns, then cut texts (changes
    `widths`).
    """
    if _total(fitting, widths, _GAP) <= width:
        return fitting, _GAP
    least = {c.title: min(widths[c.title], _WORTH_CELLS) if c.cut else widths[c.title] for c in fitting}
    while _total(fitting, least, _NARROW_GAP) > width and any(column.drop for column in fitting):
        first = max(fitting, key=lambda column: column.drop)
        fitting = [column for column in fitting if column is not first]
    excess = _total(fitting, widths, _NARROW_GAP) - width
    for column in sorted((c for c in fitting if c.cut), key=lambda c: -widths[c.title]):
        less = min(max(0, excess), max(0, widths[column.title] - max(_LEAST_CELLS, len(column.title))))
        widths[column.title] -= less
        excess -= less
    return fitting, _NARROW_GAP


def _total(columns: Sequence[Column[T]], widths: dict[str, int], gap: str) -> int:
    return sum(widths[column.title] for column in columns) + len(gap) * (len(columns) - 1)
