"""Setting: a row in the table of settings, and the field of `config.Settings` that holds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from math import inf
from typing import Any, Final, NamedTuple

from reconstruction_operator import readers
from reconstruction_operator.readers import Reader

BOTH: Final = "operator and worker"
OPERATOR: Final = "operator"
WORKER: Final = "worker"


class Setting(NamedTuple):
    """One row of the table."""

    name: str  # of the environment variable
    default: str  # as text of the variable
    unit: str  # URL, SECONDS, BYTES, NAMES, ...
    meaning: str
    read: Reader
    choices: tuple[str, ...]  # the words that it accepts; empty: any
    section: str
    whose: str  # OPERATOR, WORKER or BOTH
    child: bool  # the worker's child processes take it over


def section(title: str, owner: str, *, child: bool = False) -> Callable[..., Any]:
    """Return a function that makes the fields of a section. Without `read`, the type of the default selects the reader.

    `TABLE` adds the field's name. The default of `unit` is the last word of the name (NAMES for names).
    """

    def field(
        default: Any,
        meaning: str,
        *,
        unit: str = "",
        least: float = 0.0,
        most: float = inf,
        choices: tuple[str, ...] = (),
        read: Reader | None = None,
        whose: str = owner,
    ) -> Any:
        text, usual = (",".join(default), "NAMES") if isinstance(default, tuple) else (str(default), "")
        read = read or readers.reader(default, least=least, most=most, choices=choices)
        row = Setting("", text, unit or usual, meaning, read, choices, title, whose, child)
        return dataclasses.field(default=default, metadata={"row": row})

    return field


def named(field: dataclasses.Field[Any]) -> Setting:
    """Return the row of a field of `Settings`, with its name and unit."""
    row: Setting = field.metadata["row"]
    return row._replace(name=field.name, unit=row.unit or field.name.rpartition("_")[2])
