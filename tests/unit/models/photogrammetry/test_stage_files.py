"""Stage files: what is read back equals what was written, and is not made again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from reconstruction_operator.models.interface import Photo, StageFolder, Step, Work
from reconstruction_operator.models.photogrammetry import stage_files
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap
from reconstruction_operator.models.photogrammetry.parameters import settings
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, pinhole
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, LeftOut, SparseModel, Why
from reconstruction_operator.models.photogrammetry.stage_files import stage, stage_folder
from reconstruction_operator.models.photogrammetry.surface.surface import Samples
from reconstruction_operator.models.photogrammetry.timing.costs import Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable
from reconstruction_operator.models.stages import Stages

from tests.support.engine.geometry import QUIET


@pytest.fixture
def folder(tmp_path: Path) -> StageFolder:
    return StageFolder(tmp_path / "stages", "key", attempt=1)


@dataclass(frozen=True, slots=True)
class OfRun:
    """A run that has only stages."""

    stages: Stages


@stage(stage_files.SPARSE, SparseModel)
def aligned(_: OfRun, make: Callable[[], SparseModel]) -> SparseModel:
    """Return what `make` returns."""
    return make()


@stage(stage_files.SAMPLES, Samples)
def sampled(_: OfRun, make: Callable[[], Samples]) -> Samples:
    """Return what `make` returns."""
    return make()


class Pipeline:
    """Fills a database as the pipeline does, and counts what it makes."""

    def __init__(self, scratch: Path, folder: StageFolder) -> None:
        scratch.mkdir(exist_ok=True)
        self.database = scratch / "features.db"
        self.stages = Stages(folder)
        self.made: list[str] = []

    def extract(self) -> None:
        self.made.append("features")
        self.database.write_text("features")

    def match(self) -> None:
        self.made.append("matches")
        with self.database.open("a") as file:
            file.write(" and matches")

    def killed(self) -> None:
        self.match()
        raise KeyboardInterrupt

    def run(self, match: Callable[[], None] | None = None) -> list[str]:
        stage_files.matched_database(self.stages, self.database, extract=self.extract, match=match or self.match)
        assert self.database.read_text() == "features and matches"
        return self.made


def kept(folder: StageFolder) -> list[str]:
    return sorted(path.name.partition("~")[0] for path in folder.path.iterdir())


def test_a_run_killed_while_it_matches_leaves_its_features_unchanged(tmp_path: Path, folder: StageFolder) -> None:
    first = Pipeline(tmp_path / "first", folder)
    with pytest.raises(KeyboardInterrupt):
        first.run(first.killed)
    assert kept(folder) == ["features"]
    assert Pipeline(tmp_path / "second", folder).run() == ["matches"]
    assert kept(folder) == ["matches"]
    assert Pipeline(tmp_path / "third", folder).run() == []


def test_a_stage_that_cannot_be_written_keeps_the_previous_one(tmp_path: Path, folder: StageFolder) -> None:
    Pipeline(tmp_path / "first", StageFolder(folder.path, folder.key, 1, max_bytes=len("features"))).run()
    assert kept(folder) == ["features"]


def test_a_stage_that_cannot_be_written_does_not_fail_the_run(tmp_path: Path) -> None:
    nowhere = StageFolder(tmp_path / "missing" / "stages", "key")
    assert Pipeline(tmp_path / "first", nowhere).run() == ["features", "matches"]


def model() -> SparseModel:
    rng = np.random.default_rng(1)
    photos = tuple(
        AlignedPhoto(
            f"{index:04d}.jpg",
            Camera(
                pinhole(500.0 + index / 3, 319.5, 239.5 - index / 7),
                rng.normal(size=(3, 3)),
                rng.normal(size=3),
                640,
                480,
            ),
            0.01 / (index + 1),
            np.arange(index, 5 + 2 * index, dtype=np.int64),
            rng.normal(size=(5 + index, 2)),
        )
        for index in range(3)
    )
    left_out = (LeftOut("0003.jpg", Why.NO_MATCHES), LeftOut("0004.jpg", Why.NO_FEATURES))
    return SparseModel(photos, rng.normal(size=(9, 3)), 0.4321, left_out)


def test_a_sparse_model_is_read_back_to_the_last_digit(folder: StageFolder) -> None:
    first = aligned(OfRun(Stages(folder)), model)
    second = aligned(OfRun(Stages(folder)), lambda: pytest.fail("made again"))
    assert second.reprojection_error_px == first.reprojection_error_px
    assert second.left_out == first.left_out
    assert np.array_equal(second.points, first.points)
    for photo, other in zip(first.photos, second.photos, strict=True):
        plain = attrgetter("name", "radial", "camera.width", "camera.height")
        assert plain(photo) == plain(other)
        arrays = attrgetter("camera.intrinsics", "camera.rotation", "camera.translation", "seen", "pixels")
        for written, read in zip(arrays(photo), arrays(other), strict=True):
            assert np.array_equal(written, read)
            assert written.dtype == read.dtype


def depth_map(index: int) -> DepthMap:
    depths = np.full((3, 2 + index), index / 3, dtype=np.float32)
    return DepthMap(depths, depths > 1)


@stage_folder(stage_files.DEPTHS)
def depths_of(_: OfRun, folder: Path, maps: Sequence[DepthMap]) -> None:
    """Write the maps, in their order."""
    for index, depths in enumerate(maps):
        stage_files.write_depths(folder, index, depths)


def test_depth_maps_are_read_back_in_their_order(folder: StageFolder) -> None:
    maps = [depth_map(index) for index in range(12)]
    for handed in (maps, []):  # the second run makes none
        read = stage_files.depth_reader(depths_of(OfRun(Stages(folder)), handed))
        for index, depths in reversed([*enumerate(maps)]):
            assert np.array_equal(depths.depths, read(index).depths)
            assert np.array_equal(depths.sure, read(index).sure)
        assert (read(0).depths.dtype, read(0).sure.dtype) == (np.float32, np.bool_)


def test_depth_maps_too_large_to_be_kept_are_still_read(folder: StageFolder) -> None:
    small = StageFolder(folder.path, folder.key, 1, max_bytes=10)
    read = stage_files.depth_reader(depths_of(OfRun(Stages(small)), [depth_map(0), depth_map(1)]))
    assert np.array_equal(read(1).depths, depth_map(1).depths)
    assert [name.partition("-")[0] for name in kept(folder)] == [".depth"]


def test_few_depth_maps_are_held_however_many_are_read(folder: StageFolder) -> None:
    read = stage_files.depth_reader(depths_of(OfRun(Stages(folder)), [depth_map(1)] * 90))
    held = weakref.WeakValueDictionary({index: read(index).depths for index in range(90)})
    assert len(held) == 32


def test_samples_are_read_back_to_the_last_digit_and_replace_the_depth_maps(folder: StageFolder) -> None:
    rng = np.random.default_rng(1)
    made = Samples(rng.normal(size=(7, 3)), rng.normal(size=(7, 3)), 1 / 3, 8, rng.normal(size=(9, 3)), 12)
    depths_of(OfRun(Stages(folder)), [depth_map(0)])
    for make in (lambda: made, lambda: pytest.fail("made again")):
        read = sampled(OfRun(Stages(folder)), make)
        for of_arrays in (attrgetter("points"), attrgetter("normals"), attrgetter("spread")):
            assert np.array_equal(of_arrays(read), of_arrays(made))
        assert (read.cell, read.octree_depth, read.dense_points) == (made.cell, made.octree_depth, made.dense_points)
        assert isinstance(read.dense_points, int)  # it is a number of the quality, which is JSON
    assert kept(folder) == ["surface-points"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"textureSize": 512, "faces": 5000, "compress": True, "obj": True}, list(stage_files.NAMES)),
        ({"crop": False}, ["photos", "features", "matches", "sparse-model", "views", "depth-maps"]),
        ({"seed": 1}, ["photos", "features"]),
        ({"maxImageSize": 1000}, []),
    ],
)
def test_a_stage_serves_runs_that_differ_only_in_what_it_does_not_read(
    tmp_path: Path, folder: StageFolder, changed: dict[str, object], expected: list[str]
) -> None:
    def stages(parameters: dict[str, object]) -> Stages:
        work = Work((), tmp_path, tmp_path, parameters, 1, folder)
        return stage_files.of_run(work, settings({"quality": "fast"} | parameters))

    for name in stage_files.NAMES:
        stages({}).seal(name, stages({}).begin(name))
    assert [name for name in stage_files.NAMES if stages(changed).find(name) is not None] == expected


def test_prepared_photos_are_read_back_with_their_files(tmp_path: Path, folder: StageFolder) -> None:
    source = tmp_path / "photo.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "DJI"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 30.0, 58.68), 3: "E", 4: (13.0, 22.0, 39.72), 6: 71.5})
    Image.new("RGB", (60, 40), "red").save(source, exif=exif)
    first, _ = stage_files.prepared_photos(Stages(folder), [Photo(source, 60, 40, 1)], 30, threads=1, progress=QUIET)
    source.unlink()
    second, files = stage_files.prepared_photos(
        Stages(folder), [Photo(source, 60, 40, 1)], 30, threads=1, progress=QUIET
    )
    assert second == first
    assert second[0].place is not None
    with Image.open(files / second[0].name) as image:
        assert image.size == (30, 20)


def test_a_resumed_run_reports_its_stage(folder: StageFolder) -> None:
    heard: list[tuple[Step, float, str, str]] = []

    def report(step: Step, fraction: float, message: str = "", *, resumed: str = "", **_: object) -> None:
        heard.append((step, fraction, message, resumed))

    timetable = Timetable(report, lambda _: dict.fromkeys(Stage, 1.0), clock=lambda: 0.0)
    stage_files.announce(Stages(folder), timetable)
    assert heard == []
    stages = Stages(folder)
    aligned(OfRun(stages), model)
    depths_of(OfRun(stages), [depth_map(0)])
    stage_files.announce(Stages(folder), timetable)
    resumed = "depth-maps of attempt 1"
    assert heard == [(Step.RECONSTRUCT, pytest.approx(4 / 6), f"continues after {resumed}", resumed)]
