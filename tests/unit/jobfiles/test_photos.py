"""Kept photos: the next attempt uses them if they are complete."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.jobfiles import photos, workspace
from reconstruction_operator.jobfiles.layout import Workspace

from tests.support.refs import make_attempt

pytestmark = pytest.mark.usefixtures("jobs_dir")

PHOTOS = (Photo(Path("a.jpg"), 64, 48, 5), Photo(Path("b.jpg"), 48, 64, 9))


def proceed() -> None:
    """A check that lets the work continue."""


@pytest.fixture
def kept() -> Workspace:
    """The workspace of an attempt that has kept two photos."""
    space = workspace.prepare(make_attempt(number=1))
    taken = tuple(replace(photo, path=space.photos / photo.path) for photo in PHOTOS)
    for photo in taken:
        photo.path.write_text(f"photo {photo.path.name}")
    assert photos.keep(space, "sha256:1", taken, proceed) == inside(space)
    return space


def inside(space: Workspace) -> tuple[Photo, ...]:
    digests = [hashlib.sha256(f"photo {photo.path.name}".encode()).hexdigest() for photo in PHOTOS]
    return tuple(
        replace(photo, path=space.loaded / photo.path, sha256=digest)
        for photo, digest in zip(PHOTOS, digests, strict=True)
    )


def take_over() -> Workspace:
    successor = workspace.prepare(make_attempt(number=2))
    workspace.delete_predecessors("job", successor)
    return successor


def test_the_next_attempt_takes_kept_photos_over(kept: Workspace) -> None:
    successor = take_over()
    kept_photos = photos.read(successor)
    assert kept_photos is not None
    assert (kept_photos.digest, kept_photos.bytes) == ("sha256:1", 14)
    assert kept_photos.photos == inside(successor)
    assert photos.are_whole(kept_photos, proceed)
    assert not kept.root.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_text("photo A.jpg"), id="changed"),
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: (path.rename(path.with_name("c")), path.symlink_to("c")), id="a-link"),
    ],
)
def test_changed_or_missing_photos_are_detected(kept: Workspace, spoil: Callable[[Path], object]) -> None:
    kept_photos = photos.read(kept)
    assert kept_photos is not None
    spoil(kept.loaded / "a.jpg")
    assert not photos.are_whole(kept_photos, proceed)


@pytest.mark.parametrize(
    "note",
    [
        "{",
        "[]",
        '{"digest": "x"}',
        '{"digest": "x", "photos": [{"path": "../a", "width": 1, "height": 1, "bytes": 1}]}',
        "[" * 100_000,
    ],
)
def test_an_invalid_note_is_ignored(kept: Workspace, note: str) -> None:
    (kept.loaded / "photos.json").write_text(note)
    assert photos.read(kept) is None


def test_photos_that_were_not_kept_are_not_taken_over() -> None:
    space = workspace.prepare(make_attempt(number=1))
    (space.photos / "a.jpg").write_text("half")
    successor = take_over()
    assert photos.read(successor) is None
    assert not successor.loaded.exists()


def test_kept_photos_stay_for_a_retry(kept: Workspace) -> None:
    assert workspace.keep_for_the_next(kept, stages=False)
    assert [path.name for path in kept.root.iterdir()] == ["loaded"]


def test_reading_photos_can_be_interrupted(kept: Workspace) -> None:
    kept_photos = photos.read(kept)
    assert kept_photos is not None

    def interrupt() -> None:
        raise InterruptionError

    with pytest.raises(InterruptionError):
        photos.are_whole(kept_photos, interrupt)


class InterruptionError(Exception):
    """The run has to end."""
