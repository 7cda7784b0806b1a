"""Several workers make one mesh: parts of its stages by helpers in processes of their own, the same mesh to the bit."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.models.interface import PartTurn
from reconstruction_operator.models.photogrammetry.parameters import PartSizes
from reconstruction_operator.models.seals import SEAL

from benchmarks.parts import RUN, Desk, Job, Stage, run
from tests.support.paths import DATA

pytestmark = [pytest.mark.release, pytest.mark.timeout(900)]

DIVIDED = dict.fromkeys(("photos", "features", "matches", "views", "depth-maps", "surface-points"), 3)
JOB = Job(
    photos=DATA / "photos" / "berlin",
    into=Path(),
    stages=Path(),
    parameters={"quality": "preview", "maxImageSize": 600, "textureSize": 256, "faces": 5_000},
    sizes=PartSizes(photos=1, features=1, pairs=1, views=1, depths=1, fusion=1, least_seconds=0.0),
)


class HelpersFirst(Desk):
    """Gives the run no part of a stage before a helper has made one."""

    def serves(self, worker: str, stage: Stage) -> bool:
        """Return whether the worker may get a part."""
        return worker != RUN or any(by != RUN for by in stage.made.values())


class Killing(Desk):
    """Kills the run, or the helper, when it has made a part and begins another; until then, the other worker waits."""

    def __init__(self, *, run: bool) -> None:
        super().__init__()
        self.kills_run = run
        self.killed: list[int] = []

    def serves(self, worker: str, _stage: Stage) -> bool:
        """Return whether the worker may get a part."""
        return bool(self.killed) or (worker == RUN) is self.kills_run

    def turn(self, worker: str, title: str, count: int, made: int | None) -> PartTurn:
        """Return a turn."""
        turn = super().turn(worker, title, count, made)
        if made is not None and turn.part is not None and not self.killed:
            self.killed.append(turn.part)
            self.processes[worker].kill()
        return turn


class Damaging(HelpersFirst):
    """Damages the first part that a helper has made."""

    def __init__(self, stages: Path) -> None:
        super().__init__()
        self.folder = stages
        self.damaged: list[Path] = []

    def turn(self, worker: str, title: str, count: int, made: int | None) -> PartTurn:
        """Return a turn."""
        if worker != RUN and made is not None and not self.damaged:
            (part,) = self.folder.glob(f"{title.partition('~')[0]}-{made}~*")
            self.damaged += [file for file in part.iterdir() if file.name != SEAL]
            for file in self.damaged:
                file.write_bytes(b"damaged")
        return super().turn(worker, title, count, made)


class Listing(Desk):
    """Lists which attempt made each part, when all are made."""

    def __init__(self, stages: Path) -> None:
        super().__init__()
        self.folder = stages
        self.attempts: list[int] = []

    def turn(self, worker: str, title: str, count: int, made: int | None) -> PartTurn:
        """Return a turn."""
        turn = super().turn(worker, title, count, made)
        if turn.over and title.startswith("depth-maps"):
            parts = sorted(self.folder.glob(f"{title.partition('~')[0]}-*"))
            self.attempts = [json.loads((part / SEAL).read_text())["attempt"] for part in parts]
        return turn


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What a run without parts makes, and its stages."""
    folder = tmp_path_factory.mktemp("whole")
    outcome = run(replace(JOB, into=folder / "run", stages=folder / "stages"), helpers=0)
    assert outcome["made"] == {}
    return outcome["digests"], folder / "stages"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return replace(JOB, into=tmp_path / "run", stages=tmp_path / "stages")


@pytest.fixture
def late(job: Job, whole: tuple[dict[str, Any], Path]) -> Job:
    """A run that begins with the stages before the depth maps."""
    shutil.copytree(whole[1], job.stages, ignore=shutil.ignore_patterns("surface*"))
    return job


def kept(job: Job) -> set[str]:
    return {path.name.partition("~")[0] for path in job.stages.iterdir()}


def test_helpers_make_parts_of_each_divided_stage_and_the_mesh_is_the_same(
    job: Job, whole: tuple[dict[str, Any], Path]
) -> None:
    outcome = run(job, helpers=1, desk=HelpersFirst())

    assert outcome["digests"] == whole[0]
    assert {stage: made.total() for stage, made in outcome["made"].items()} == DIVIDED
    assert [stage for stage, made in outcome["made"].items() if made.total() == made[RUN]] == []
    assert kept(job) == {path.name.partition("~")[0] for path in whole[1].iterdir()}


def test_the_part_of_a_killed_helper_is_made_by_the_run(late: Job, whole: tuple[dict[str, Any], Path]) -> None:
    desk = Killing(run=False)
    outcome = run(late, helpers=1, desk=desk)

    assert len(desk.killed) == 1
    assert outcome["digests"].items() >= digests_after_views(whole[0]).items()
    assert outcome["made"]["depth-maps"][RUN] == 2


def test_a_damaged_part_is_made_again(late: Job, whole: tuple[dict[str, Any], Path]) -> None:
    desk = Damaging(late.stages)
    outcome = run(late, helpers=1, desk=desk)

    assert len(desk.damaged) == 1
    assert outcome["digests"].items() >= digests_after_views(whole[0]).items()


def test_the_attempt_after_a_killed_run_makes_no_finished_part_again(
    late: Job, whole: tuple[dict[str, Any], Path]
) -> None:
    killing = Killing(run=True)
    assert run(late, helpers=1, desk=killing) == {}
    listing = Listing(late.stages)
    outcome = run(replace(late, into=late.into.with_name("second"), attempt=2), helpers=1, desk=listing)

    assert Counter(listing.attempts)[1] >= 1
    assert len(listing.attempts) == DIVIDED["depth-maps"]
    assert outcome["digests"].items() >= digests_after_views(whole[0]).items()


def digests_after_views(digests: dict[str, str]) -> dict[str, str]:
    """Those of the stages that a run with all stages up to the views makes, and of its files."""
    names = list(digests)
    return {name: digests[name] for name in names[names.index("views") + 1 :]}
