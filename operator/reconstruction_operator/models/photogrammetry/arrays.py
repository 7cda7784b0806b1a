"""Arrays: their types, and the files of data classes of them.

Docstrings state the shapes, often first: "(h, w): the cost of each pixel".
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Doubles: TypeAlias = npt.NDArray[np.float64]
Singles: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int64]
Indices: TypeAlias = npt.NDArray[np.int32]
Costs: TypeAlias = npt.NDArray[np.uint16]
Pixels: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]

_Fields = TypeVar("_Fields", bound="DataclassInstance")

_NAME = "arrays.npz"


def write(folder: Path, made: DataclassInstance) -> None:
    """Write the fields, arrays and numbers, to the folder."""
    np.savez(folder / _NAME, **{field.name: getattr(made, field.name) for field in fields(made)})


def read(kind: type[_Fields], folder: Path) -> _Fields:
    """Return the object of the data class `kind` that `write` has written to the folder."""
    with np.load(folder / _NAME) as file:
        columns = {field.name: file[field.name] for field in fields(kind)}
    return kind(**{name: column if column.ndim else column.item() for name, column in columns.items()})
