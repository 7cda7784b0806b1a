"""Parts: several workers make a stage, each part of it a sealed stage of its own (`Work.parts`).

The division follows from the items of the stage alone, so that the run, its helpers and a later attempt divide it
alike. The run joins the parts as if it had made them all: the stage is the same to the bit.

    folders = parts.made(stages, "depths", [names[first:last] for ...], make, waiting=report)
    if folders: join(folders)
    else: make the whole stage

A helper runs the same model, for one stage after the other (`run`).
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from reconstruction_operator.models import seals
from reconstruction_operator.models.interface import HelpOver, Model, Parts, Report, Result, Work
from reconstruction_operator.models.stages import Stages

_PAUSE_SECONDS = 0.2  # between two questions whether the parts that others make are made
_PATIENCE_SECONDS = 10.0  # of a helper, for the next stage of the run: a new process takes some seconds to start

Make = Callable[[Path, int, int], None]
"""Fills the folder of a part with that number; the last argument is the number of parts that are made."""


def run(model: Model, work: Work, report: Report) -> Result:
    """Run the model. In a helper, run it for each stage with which it helps. Raises as `Model.run`."""
    result = model.run(work, report)
    while work.helps and work.parts is not None and (stage := _next_stage(work.helps, work.parts)):
        for path in work.scratch_dir.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        work = replace(work, helps=stage)
        result = model.run(work, report)
    return result


def _next_stage(last: str, ask: Parts) -> str:
    """Return the stage with which a helper helps after the `last` one; empty if none follows soon."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        turn = ask(last, 0, None)
        if turn.over or time.monotonic() >= deadline:
            return turn.stage
        time.sleep(_PAUSE_SECONDS)


def divided(count: int, size: int) -> list[range]:
    """Return ranges of nearly equal lengths, of at most `size` of `count` items.

    Their number is even, so that two workers end together, unless all are in one.
    """
    if count <= size:
        return [range(count)]
    parts = min(2 * -(-count // (2 * size)), count)
    ends = [count * number // parts for number in range(parts + 1)]
    return [range(first, end) for first, end in itertools.pairwise(ends)]


def made(
    stages: Stages,
    stage: str,
    made_from: Sequence[object],
    make: Make,
    *,
    waiting: Callable[[int], None],
    pause: Callable[[float], None] = time.sleep,
) -> list[Path]:
    """Return the folder of each part of that stage, in order; empty if this run is to make the stage as a whole,
    because it has no helpers, or the stage only one part.

    `made_from` has a JSON value of each part: what it is made from, beside what the stage depends on. `waiting` gets
    the number of parts that are made while others make the rest.

    Raises HelpOver in a helper when no part is left, or if it helps with something else.
    """
    title = stages.title(stage)
    if stages.helps not in ("", title):
        raise HelpOver
    if stages.parts is None or len(made_from) < 2:  # noqa: PLR2004  # one part is the whole stage
        if stages.helps:
            raise HelpOver
        return []

    def one(number: int, before: int) -> Path:
        found = stages.part(stage, number, made_from[number])
        if found is not None:
            return found
        folder = stages.begin(stage)
        make(folder, number, before)
        return stages.seal_part(stage, number, made_from[number], folder)

    own: dict[int, Path] = {}
    last = None
    while True:
        turn = stages.parts(title, len(made_from), last)
        last = turn.part
        if turn.part is not None:
            own[turn.part] = one(turn.part, turn.made)
            if stages.helps and own[turn.part].name.startswith("."):  # too large to be kept: of no use to the run
                shutil.rmtree(own[turn.part], ignore_errors=True)
                raise HelpOver
        elif turn.over:
            break
        else:
            waiting(turn.made)
            pause(_PAUSE_SECONDS)
    if stages.helps:
        raise HelpOver
    return [own.get(number) or one(number, len(made_from) - 1) for number in range(len(made_from))]


def gather(folders: Iterable[Path], into: Path, without: str = "") -> None:
    """Link (or else copy) the files of parts, which have different names, into the folder of the whole stage; not those
    named `without`, which the run joins.
    """
    for folder in folders:
        for file in folder.iterdir():
            if file.name not in (seals.SEAL, without):
                _link_or_copy(file, into / file.name)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target, follow_symlinks=False)
