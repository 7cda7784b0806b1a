"""Functions of a pipeline whose results are kept as stages.

    @stage("sparse-model", write, read)
    def aligned(run: Run) -> SparseModel: ...

What the function returns is written once, and read back by each run that finds the stage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from reconstruction_operator.models.stages import Stages


class HasStages(Protocol):
    """A run: what a function with a stage gets first."""

    @property
    def stages(self) -> Stages:
        """The stages of the run."""


_Run = TypeVar("_Run", bound=HasStages)
_Made = TypeVar("_Made")
_Rest = ParamSpec("_Rest")
_Make = Callable[Concatenate[_Run, _Rest], _Made]
_Fill = Callable[Concatenate[_Run, Path, _Rest], None]


def stage(
    name: str,
    write: Callable[[Path, _Made], None],
    read: Callable[[Path], _Made],
    *,
    replaces: Collection[str] = (),
    is_basis: bool = False,
) -> Callable[[_Make[_Run, _Rest, _Made]], _Make[_Run, _Rest, _Made]]:
    """Decorate a function of a run: what it returns is kept as the stage of that name.

    With the stage, it is only read back.

    `write` and `read` get the folder; `read` raises ValueError for a damaged stage. Stages that this one `replaces` are
    deleted. `is_basis`: the keys of other stages depend on it from then on.
    """

    def decorate(make: _Make[_Run, _Rest, _Made]) -> _Make[_Run, _Rest, _Made]:
        @wraps(make)
        def kept(run: _Run, /, *args: _Rest.args, **options: _Rest.kwargs) -> _Made:
            found = run.stages.find(name)
            if found is not None:
                with contextlib.suppress(ValueError):  # the process of a model made the stage and its seal
                    return read(found.path)
            run.stages.miss(name)
            made = make(run, *args, **options)
            run.stages.keep(name, lambda folder: write(folder, made), replaces)
            if is_basis:
                run.stages.rest_on(name)
            return made

        return kept

    return decorate


def stage_folder(name: str) -> Callable[[_Fill[_Run, _Rest]], _Make[_Run, _Rest, Path]]:
    """Decorate a function that gets a run and an empty folder, and fills the folder: it is the stage of that name.

    The decorated function is called without the folder, and returns it. With the stage, nothing is written.
    """

    def decorate(fill: _Fill[_Run, _Rest]) -> _Make[_Run, _Rest, Path]:
        @wraps(fill)
        def kept(run: _Run, /, *args: _Rest.args, **options: _Rest.kwargs) -> Path:
            return run.stages.made(name, lambda folder: fill(run, folder, *args, **options))

        return kept

    return decorate
