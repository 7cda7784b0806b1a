"""Deliveries that are paused or killed at any point: the valid result stays complete, and nothing is left behind.

Each test repeats for each point at which its first run can be paused: before every look at the disk and every change.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from reconstruction_operator import disk
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.contract.manifest import MANIFEST, Manifest, SealedFile
from reconstruction_operator.jobfiles import notes, workspace
from reconstruction_operator.services import file_handler
from reconstruction_operator.transfer.folders.delivery import FolderTarget
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.runs import DeliveringRun
from reconstruction_operator.worker import job_deletion

from tests.real.protocol.fibers import Fiber, at_a_point
from tests.support.refs import make_attempt
from tests.support.settings import configure
from tests.support.worker.deletions import delete_in_this_process

JOB = "0b7c4a9e-job"
DIRECTORY_LOOKS = ("enter", "names", "is_empty", "leads_to", "read")
LOOKS = ("exists", "iterdir", "read_bytes", *DIRECTORY_LOOKS)
PATH_METHODS = ("exists", "iterdir", "read_bytes", "rename", "mkdir", "open")
DIRECTORY_METHODS = (*DIRECTORY_LOOKS, "rename", "make", "remove", "create", "make_below")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for kind, methods in ((Path, PATH_METHODS), (Directory, DIRECTORY_METHODS)):
        for method in methods:
            monkeypatch.setattr(kind, method, at_a_point(method, getattr(kind, method)))
    monkeypatch.setattr(Directory, "open", staticmethod(at_a_point("open_place", Directory.open)))
    monkeypatch.setattr(disk, "delete_tree", at_a_point("delete", disk.delete_tree))
    delete_in_this_process(monkeypatch)  # in the thread that has points
    folder = tmp_path / "meshes"
    configure(monkeypatch, OUTPUT_ROOTS=(str(folder),), JOBS_DIR=str(tmp_path / "jobs"))
    return folder


class Attempt:
    """One run of an attempt, with its folder and a sealed result."""

    def __init__(self, root: Path, number: int) -> None:
        uri = f"file://{root}/banana"
        self._target = FolderTarget(uri)
        self.space = workspace.prepare(make_attempt(JOB, number))
        self.text = f"of {self.space.root.name}"
        attempt = make_attempt(JOB, number)
        notes.note(self.space, attempt, uri)
        self.run = DeliveringRun(attempt, self.space.root)
        self.superseded = False
        (self.space.output / "textures").mkdir()
        names = ("model.glb", "textures/a.png")
        for name in names:
            (self.space.output / name).write_text(self.text)
        files = tuple(SealedFile(name, len(self.text), "") for name in names)
        manifest = Manifest(attempt, model=self.text, files=files)
        (self.space.output / MANIFEST).write_text(manifest.to_text())

    def deliver(self) -> None:
        try:
            self._target.deliver(self.space.output, self.run, lambda: None)
        except SupersededError:
            self.superseded = True

    def withdraw(self) -> None:
        try:
            self._target.withdraw(self.run)
        except SupersededError:
            self.superseded = True


def stopped_at_each_point(begin: Callable[[], Callable[[], None]]) -> Iterator[Fiber]:
    """A fiber of what `begin` returns, paused at its first point, then a new one at its second, and
    so on to the last.
    """
    number = 0
    while True:
        number += 1
        fiber = Fiber(begin())
        for _ in range(number):
            fiber.resume()
            if fiber.over:
                break
        if fiber.over:
            break
        yield fiber
        to_the_end(fiber)
    assert number > 10, "it has hardly any points"


def to_the_end(fiber: Fiber) -> None:
    while not fiber.over:
        fiber.resume()


def holds_whole(root: Path, attempt: Attempt) -> bool:
    """Whether the delivered result is complete, and nothing else exists."""
    files = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}
    manifest = (attempt.space.output / MANIFEST).read_text()
    return [path.name for path in root.iterdir()] == ["banana"] and files == {
        "banana/model.glb": attempt.text,
        "banana/textures/a.png": attempt.text,
        "banana/manifest.json": manifest,
    }


def begin_anew(root: Path, before: str, number: int = 2) -> Attempt:
    """Begin with what may exist already."""
    job_deletion.delete(make_attempt(JOB).job, cancelled=True)
    disk.delete_tree(root)
    root.mkdir()
    match before:
        case "an earlier result":
            Attempt(root, 1).deliver()
        case "an empty folder":
            (root / "banana").mkdir()
    return Attempt(root, number)


BEFORE = pytest.mark.parametrize("before", ["nothing", "an empty folder", "an earlier result"])
SUCCESSOR = pytest.mark.parametrize("successor", [2, 3], ids=["another run of it", "the next attempt"])


@BEFORE
@SUCCESSOR
def test_a_paused_delivery_harms_no_successor(root: Path, before: str, successor: int) -> None:
    for stopped in stopped_at_each_point(lambda: begin_anew(root, before).deliver):
        second = Attempt(root, successor)
        second.deliver()
        assert not second.superseded
        to_the_end(stopped)
        assert holds_whole(root, second), f"it continued before {stopped.point}"


@BEFORE
@SUCCESSOR
def test_a_paused_delivery_delivers_nothing_after_its_successor_withdrew(
    root: Path, before: str, successor: int
) -> None:
    for stopped in stopped_at_each_point(lambda: begin_anew(root, before).deliver):
        Attempt(root, successor).withdraw()
        to_the_end(stopped)
        assert [path for path in root.iterdir() if path.name != "banana" or any(path.iterdir())] == []


@SUCCESSOR
def test_a_paused_withdrawal_harms_no_successor(root: Path, successor: int) -> None:
    def begin() -> Callable[[], None]:
        first = begin_anew(root, "nothing")
        first.deliver()
        return first.withdraw

    for stopped in stopped_at_each_point(begin):
        second = Attempt(root, successor)
        second.deliver()
        to_the_end(stopped)
        assert holds_whole(root, second), f"it continued before {stopped.point}"


@BEFORE
def test_the_next_delivery_deletes_what_a_killed_one_left(root: Path, before: str) -> None:
    for killed in stopped_at_each_point(lambda: begin_anew(root, before).deliver):
        killed.kill()
        second = Attempt(root, 3)
        second.deliver()
        assert holds_whole(root, second)


@BEFORE
@pytest.mark.parametrize("is_killed", [True, False])
def test_deletion_of_a_job_deletes_what_an_interrupted_delivery_left(
    root: Path, before: str, *, is_killed: bool
) -> None:
    for stopped in stopped_at_each_point(lambda: begin_anew(root, before).deliver):
        if is_killed:
            stopped.kill()
        job_deletion.delete(make_attempt(JOB).job, cancelled=False)
        to_the_end(stopped)
        assert [path for path in root.iterdir() if path.name != "banana" or any(path.iterdir())] == []
        assert not file_handler.job_dir(JOB).exists()


def test_the_next_deletion_finishes_a_killed_one(root: Path) -> None:
    def begin() -> Callable[[], None]:
        first = Fiber(begin_anew(root, "nothing").deliver)
        while first.point != "create":
            first.resume()
        first.kill()
        (root / "banana").mkdir()
        for file in ("model.glb", MANIFEST):
            (root / "banana" / file).write_text(Manifest(make_attempt(JOB)).to_text())
        return lambda: bool(job_deletion.delete(make_attempt(JOB).job, cancelled=True)) and None

    for killed in stopped_at_each_point(begin):
        killed.kill()
        job_deletion.delete(make_attempt(JOB).job, cancelled=True)
        assert list(root.iterdir()) == []
        assert not file_handler.job_dir(JOB).exists()


def test_a_delivery_leaves_nothing_if_its_cancelled_job_is_deleted_meanwhile(root: Path) -> None:
    """At any pair of points of delivery and deletion."""
    changes, reached = 0, True
    while reached:
        changes += 1
        reached, points, is_over = False, 0, False
        while not is_over:
            points += 1
            delivery = Fiber(begin_anew(root, "nothing").deliver)
            for _ in range(changes):
                to_the_next_change(delivery)
            reached = reached or not delivery.over
            cancel = Fiber(lambda: bool(job_deletion.delete(make_attempt(JOB).job, cancelled=True)) and None)
            for _ in range(points):
                cancel.resume()
                if cancel.over:
                    break
            is_over = cancel.over
            to_the_end(delivery)
            to_the_end(cancel)
            assert list(root.iterdir()) == [], f"{delivery.point}, {cancel.point}"
            assert not file_handler.job_dir(JOB).exists()
    assert changes > 5


def to_the_next_change(fiber: Fiber) -> None:
    if not fiber.over:
        fiber.resume()
    while not fiber.over and fiber.point in LOOKS:
        fiber.resume()


@pytest.mark.release
@pytest.mark.parametrize("successor", [2, 3], ids=["another run", "the next"])
def test_of_two_paused_deliveries_the_later_one_delivers(root: Path, successor: int) -> None:
    """The first one pauses, then the other; then they continue to their ends in the same order."""
    reached, first_changes = True, 0
    while reached:
        first_changes += 1
        later_changes, reached = 0, False
        while True:
            later_changes += 1
            first = Fiber(begin_anew(root, "an earlier result").deliver)
            for _ in range(first_changes):
                to_the_next_change(first)
            reached = reached or not first.over
            second = Attempt(root, successor)
            later = Fiber(second.deliver)
            for _ in range(later_changes):
                to_the_next_change(later)
            is_last = later.over
            to_the_end(first)
            to_the_end(later)
            assert holds_whole(root, second) or (second.superseded and successor == 2)
            if is_last:
                break
    assert first_changes > 10
