"""Parts: a run and its helpers make a stage together, and the run trusts only what is sealed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from reconstruction_operator.models import parts
from reconstruction_operator.models.interface import HelpOver, Parts, PartTurn, Report, Result, StageFolder, Work
from reconstruction_operator.models.stages import Stages

FOLLOWS = {"photos": "depth", "depths": "fusion", "surface": "texture"}
ITEMS = [["a"], ["b"], ["c"]]


@dataclass
class Turns:
    """Answers with these turns, one after the other, and then that all is over."""

    turns: list[PartTurn]
    asked: list[tuple[str, int, int | None]] = field(default_factory=list)

    def __call__(self, stage: str, count: int, made: int | None, /) -> PartTurn:
        self.asked.append((stage, count, made))
        return self.turns.pop(0) if self.turns else PartTurn(None, count, over=True)


@pytest.fixture
def folder(tmp_path: Path) -> StageFolder:
    return StageFolder(tmp_path / "stages", "key", attempt=1)


@dataclass
class Worker:
    """Makes parts that have their number as text; `made` has what it made, and `waited` its waiting."""

    folder: StageFolder
    helpers: Parts | None
    helps: str = ""
    made: list[int] = field(default_factory=list)
    waited: list[int] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)

    @property
    def stages(self) -> Stages:
        return Stages(self.folder, follows=FOLLOWS, parts=self.helpers, helps=self.helps)

    def work(self, items: list[list[str]] = ITEMS, dies_at: int | None = None) -> list[Path]:
        def make(into: Path, number: int, _: int) -> None:
            if number == dies_at:
                raise KeyboardInterrupt
            self.made.append(number)
            (into / f"{number}.txt").write_text(str(number))

        return parts.made(self.stages, "depths", items, make, waiting=self.waited.append, pause=self.paused.append)


def texts(folders: list[Path]) -> list[str]:
    return [file.read_text() for folder in folders for file in sorted(folder.glob("*.txt"))]


def names(folder: StageFolder) -> list[str]:
    return sorted(path.name.partition("~")[0] for path in folder.path.iterdir())


@pytest.mark.parametrize(
    ("count", "size", "lengths"),
    [
        pytest.param(0, 20, [0], id="none"),
        pytest.param(20, 20, [20], id="few"),
        pytest.param(21, 20, [10, 11], id="two"),
        pytest.param(41, 20, [10, 10, 10, 11], id="an-even-number"),
        pytest.param(200, 20, [20] * 10, id="many"),
        pytest.param(3, 1, [1, 1, 1], id="no-empty-part"),
    ],
)
def test_items_are_divided_evenly(count: int, size: int, lengths: list[int]) -> None:
    ranges = parts.divided(count, size)
    assert [len(part) for part in ranges] == lengths
    assert [item for part in ranges for item in part] == list(range(count))


@pytest.mark.parametrize(
    ("helpers", "items"), [pytest.param(None, ITEMS, id="no-helpers"), pytest.param(Turns([]), [["a"]], id="one-part")]
)
def test_a_stage_is_not_divided_without_helpers_or_for_one_part(
    folder: StageFolder, helpers: Parts | None, items: list[list[str]]
) -> None:
    run = Worker(folder, helpers)
    assert run.work(items=items) == []
    assert run.made == []


def test_a_run_makes_the_parts_that_it_gets_and_waits_for_the_others(folder: StageFolder) -> None:
    helper = Worker(folder, Turns([PartTurn(1)]), Stages(folder, follows=FOLLOWS).title("depths"))
    with pytest.raises(HelpOver):
        helper.work()
    turns = Turns([PartTurn(0, 1), PartTurn(None, 2), PartTurn(2, 2)])
    run = Worker(folder, turns)

    assert texts(run.work()) == ["0", "1", "2"]
    assert (helper.made, run.made) == ([1], [0, 2])
    title = run.stages.title("depths")
    assert turns.asked == [(title, 3, made) for made in (None, 0, None, 2)]
    assert run.waited == [2]
    assert run.paused == [0.2]


def test_a_part_that_is_sealed_already_is_not_made_again(folder: StageFolder) -> None:
    killed = Worker(folder, Turns([PartTurn(0), PartTurn(1)]))
    with pytest.raises(KeyboardInterrupt):
        killed.work(dies_at=1)
    later = Worker(replace(folder, attempt=2), Turns([PartTurn(number) for number in range(3)]))

    assert texts(later.work()) == ["0", "1", "2"]
    assert later.made == [1, 2]


def remove(path: Path) -> None:
    shutil.rmtree(path)


def change(path: Path) -> None:
    next(path.glob("*.txt")).write_text("x")


def of_another_stage(path: Path) -> None:
    path.rename(path.with_name("depths-1~0"))


@pytest.mark.parametrize("spoil", [remove, change, of_another_stage])
def test_a_run_makes_again_what_was_reported_as_made_and_cannot_be_trusted(
    folder: StageFolder, spoil: Callable[[Path], None]
) -> None:
    helper = Worker(folder, Turns([PartTurn(number) for number in range(3)]), Stages(folder).title("depths"))
    with pytest.raises(HelpOver):
        helper.work()
    spoil(next(folder.path.glob("depths-1~*")))
    run = Worker(folder, Turns([]))

    assert texts(run.work()) == ["0", "1", "2"]
    assert run.made == [1]


def test_parts_of_other_items_are_not_used(folder: StageFolder) -> None:
    Worker(folder, Turns([PartTurn(number) for number in range(3)])).work()
    other = Worker(folder, Turns([PartTurn(number) for number in range(3)]))
    other.work(items=[["a"], ["b"], ["d"]])
    assert other.made == [2]


def test_a_part_over_the_limit_serves_the_run_that_made_it_and_ends_a_helper(folder: StageFolder) -> None:
    small = replace(folder, max_bytes=1)
    run = Worker(small, Turns([PartTurn(number) for number in range(3)]))
    assert texts(run.work()) == ["0", "1", "2"]
    assert sum(name.startswith("depths-") for name in names(small)) == 1

    asked = Turns([PartTurn(1)])
    helper = Worker(small, asked, run.stages.title("depths"))
    with pytest.raises(HelpOver):
        helper.work()
    assert [made for _, _, made in asked.asked] == [None]


def test_the_parts_go_once_the_stage_is_sealed_with_what_killed_helpers_left(folder: StageFolder) -> None:
    run = Worker(folder, Turns([PartTurn(number) for number in range(3)]))
    stages = run.stages
    folder.path.mkdir()
    for name in (".depths-0123abcd", ".depths-fine-0123abcd"):
        (folder.path / name).mkdir()
    sealed = stages.made("depths", lambda into: parts.gather(run.work(), into))

    assert names(folder) == [".depths-fine-0123abcd", "depths"]  # that of another stage is in use
    assert texts([sealed]) == ["0", "1", "2"]
    assert list(stages.digests) == ["depths"]


def test_the_whole_fits_where_its_parts_took_the_room(folder: StageFolder) -> None:
    run = Worker(replace(folder, max_bytes=900), Turns([PartTurn(number) for number in range(3)]))
    run.stages.made("depths", lambda into: parts.gather(run.work(), into))
    assert names(folder) == ["depths"]


def test_a_gathered_file_takes_its_space_once(folder: StageFolder, tmp_path: Path) -> None:
    run = Worker(folder, Turns([PartTurn(number) for number in range(3)]))
    made = run.work()
    parts.gather(made, tmp_path)
    assert (tmp_path / "0.txt").samefile(made[0] / "0.txt")


@pytest.fixture
def helper(folder: StageFolder) -> Stages:
    """A helper with the depths, after which the run has sealed its photos."""
    run = Stages(folder, follows=FOLLOWS)
    run.made("photos", lambda into: (into / "a.jpg").touch())
    return Stages(folder, follows=FOLLOWS, parts=Turns([]), helps=run.title("depths"))


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda stages: stages.miss("photos"), id="a-stage-before-is-missing"),
        pytest.param(
            lambda stages: parts.made(stages, "photos", ITEMS, print, waiting=print), id="another-stage-is-divided"
        ),
        pytest.param(
            lambda stages: parts.made(stages, "depths", [["a"]], print, waiting=print), id="it-is-not-divided"
        ),
        pytest.param(lambda stages: stages.made("depths", lambda _: None), id="it-would-be-made-whole"),
        pytest.param(lambda stages: stages.keep("depths", lambda _: None), id="it-would-be-kept"),
    ],
)
def test_a_helper_ends_where_it_is_of_no_use(
    helper: Stages, folder: StageFolder, step: Callable[[Stages], object]
) -> None:
    with pytest.raises(HelpOver):
        step(helper)
    assert names(folder) == ["photos"]


def test_a_helper_ends_when_the_run_has_the_whole_stage(helper: Stages, folder: StageFolder) -> None:
    Stages(folder, follows=FOLLOWS).made("depths", lambda into: (into / "a").touch())
    with pytest.raises(HelpOver):
        helper.find("depths")


def test_a_helper_goes_on_to_the_stage_it_helps_with_and_deletes_nothing(helper: Stages, folder: StageFolder) -> None:
    helper.miss("surface")
    helper.miss("depths")
    assert helper.find("photos") is not None
    other = Stages(folder, follows=FOLLOWS)
    path = other.made("surface", lambda into: (into / "a").touch())
    (path / "a").unlink()
    assert helper.find("surface") is None
    helper.drop_others()
    assert names(folder) == ["photos", "surface"]


def test_two_workers_that_seal_the_same_part_leave_one(folder: StageFolder) -> None:
    stages = Stages(folder)
    written = [stages.begin("depths") for _ in range(2)]
    for into in written:
        (into / "0.txt").write_text("0")
    sealed = [stages.seal_part("depths", 0, "a", into) for into in written]
    assert sealed[0] == sealed[1]
    assert names(folder) == ["depths-0"]


@dataclass
class Noting:
    """A model that notes with which stage it helps, and leaves a file."""

    helped: list[str] = field(default_factory=list)
    found: list[list[str]] = field(default_factory=list)

    def run(self, work: Work, _report: Report) -> Result:
        self.helped.append(work.helps)
        self.found.append([path.name for path in work.scratch_dir.iterdir()])
        (work.scratch_dir / "depths").mkdir()
        (work.scratch_dir / "points.db").touch()
        return Result(quality={"runs": len(self.helped)})


def make_work(folder: Path, helps: str, asked: Parts) -> Work:
    return Work((), folder, folder, {}, 1, parts=asked, helps=helps)


def test_a_helper_goes_on_with_the_next_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(time, "sleep", paused.append)
    turns = Turns([PartTurn(), PartTurn(over=True, stage="views~2"), PartTurn(over=True, stage="depths~3")])
    model = Noting()

    result = parts.run(model, make_work(tmp_path, "matches~1", turns), print)

    assert model.helped == ["matches~1", "views~2", "depths~3"]
    assert model.found == [[], [], []]
    assert turns.asked == [(stage, 0, None) for stage in ("matches~1", "matches~1", "views~2", "depths~3")]
    assert paused == [0.2]
    assert result.quality == {"runs": 3}


def test_a_helper_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(0, 100, 4))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(times)))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    turns = Turns([PartTurn()] * 50)
    model = Noting()
    parts.run(model, make_work(tmp_path, "matches~1", turns), print)
    assert model.helped == ["matches~1"]
    assert len(turns.asked) == 3


def test_a_run_that_helps_nobody_asks_for_no_stage(tmp_path: Path) -> None:
    turns = Turns([])
    parts.run(Noting(), make_work(tmp_path, "", turns), print)
    assert turns.asked == []
