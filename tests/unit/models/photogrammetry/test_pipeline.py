"""Kept stages, and those between the surface and the model. Whole runs on photos are in tests/real/models."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from reconstruction_operator.models.interface import Photo, Placement, StageFolder, Step, Work
from reconstruction_operator.models.photogrammetry import aligning, finishing, kept, pipeline
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap, DepthSource, DepthTask, Write
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES, settings
from reconstruction_operator.models.photogrammetry.placing import georeference, markers
from reconstruction_operator.models.photogrammetry.run import Run
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh
from reconstruction_operator.models.photogrammetry.timing.costs import Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable
from reconstruction_operator.models.stages import Stages

from tests.support.engine import scenes
from tests.support.engine.geometry import QUIET, ignore, sphere

CELL = 0.1


def walked(radius_m: float, drift_m: float) -> tuple[list[View], list[PreparedPhoto]]:
    """Level photos around the origin, whose GPS altitude drifts by `drift_m` and back."""
    seen, prepared, home = [], [], np.array([52.5, 13.4, 30.0])
    for index, angle in enumerate(np.linspace(0.0, 2 * np.pi, 24, endpoint=False)):
        ahead = np.array([-np.cos(angle), -np.sin(angle), 0.0])
        rotation = np.stack([np.cross(ahead, [0.0, 0.0, 1.0]), [0.0, 0.0, -1.0], ahead])
        centre, drifted = -radius_m * ahead, np.array([0.0, 0.0, drift_m / 2 * np.sin(angle)])
        camera = Camera(np.diag([900.0, 900.0, 1.0]), rotation, -rotation @ centre, 800, 600)
        latitude, longitude, altitude = georeference.from_local(centre + drifted, home)
        place = (float(latitude), float(longitude), float(altitude))
        seen.append(View(f"{index}.jpg", Path(), camera, 0.1, 100.0, ()))
        prepared.append(PreparedPhoto(f"{index}.jpg", "", 800, 600, None, "", place=place))
    return seen, prepared


@pytest.mark.parametrize(
    ("radius_m", "most_deg"),
    [pytest.param(8.0, 0.01, id="by-the-cameras"), pytest.param(200.0, 0.5, id="by-gps")],
)
def test_a_drift_of_altitude_does_not_tilt_a_small_scene(radius_m: float, most_deg: float) -> None:
    _, frame, on_earth = finishing.placed(sphere(), *walked(radius_m, drift_m=3.0), seed=0)

    assert on_earth is not None
    assert np.degrees(np.arccos(min(frame.rotation[1, 2], 1.0))) < most_deg
    assert bool(np.degrees(np.arccos(frame.rotation[1, 2])) > 0.1) is (radius_m > 100)


@pytest.mark.parametrize(
    ("measured", "metres_per_unit", "expected"),
    [
        pytest.param(None, None, "", id="unknown"),
        pytest.param(None, 123.456, "24.7 x 12.3 x 0.000123 m", id="by-gps"),
        pytest.param(
            markers.Scale(7.5, 3, 5, 90.0, 0.001), 123.456, "0.2 x 0.1 x 1e-06 m", id="markers-are-more-exact-than-gps"
        ),
        pytest.param(None, 123_456.0, "24700 x 12300 x 0.123 m", id="large"),
    ],
)
def test_a_size_is_in_metres_where_the_scale_is_known(
    measured: markers.Scale | None, metres_per_unit: float | None, expected: str
) -> None:
    mesh = Mesh(np.array([[-0.1, 0.0, 0.0], [0.1, 0.1, 0.0], [0.0, 0.0, 1e-6]]), np.array([[0, 1, 2]]))
    placement = None if metres_per_unit is None else Placement(52.5, 13.4, 30.0, metres_per_unit, (0.0,) * 9)

    assert finishing.size_of(mesh, measured, placement) == expected


@pytest.mark.parametrize(
    ("measured", "text"),
    [
        pytest.param(None, r"no marker of ArUco 4x4, .*: the mesh is not in metres", id="none"),
        pytest.param(markers.Scale(1.0, 1, 5, 60.4, 0.0187), r"60 px wide, in 5 photos: .* off by 1.9 %;", id="small"),
        pytest.param(markers.Scale(1.0, 1, 4, 90.0, 0.0187), r"90 px wide, in 4 photos: .* off by 1.9 %;", id="few"),
        pytest.param(markers.Scale(1.0, 1, 5, 80.0, 0.0187), "^$", id="firm"),
    ],
)
def test_a_missing_or_uncertain_scale_is_a_warning(measured: markers.Scale | None, text: str) -> None:
    assert re.search(text, finishing.scale_warning(measured))


def cloud(tmp_path: Path, source: DepthSource) -> Cloud:
    """Of four views around the origin."""
    work = Work((), tmp_path, tmp_path, {}, 1)
    timetable = Timetable(ignore, lambda _: dict.fromkeys(Stage, 1.0))
    neighbours = ((1, 2), (0, 2), (1, 3), (1, 2))
    seen = [
        View(f"{index}.jpg", tmp_path, camera, 2.0, 9.0, sources)
        for index, (camera, sources) in enumerate(zip(scenes.around(4, arc_deg=45.0), neighbours, strict=True))
    ]
    run = Run(work, QUALITIES["fast"], timetable, Stages.of(work), [], tmp_path, source)
    return pipeline._dense_cloud(run, seen, [view.camera for view in seen], CELL)


def test_noisy_depths_of_any_source_become_points_on_the_surface(tmp_path: Path) -> None:
    ball = sphere()
    noise = np.random.default_rng(1)

    def true_depths(task: DepthTask, write: Write) -> None:
        for index, camera in enumerate(task.cameras):
            rays = camera.rays()
            face, weights = Caster(ball).cast(np.broadcast_to(camera.centre, rays.shape), rays)
            points = (weights[:, :, None] * ball.vertices[ball.faces[face]]).sum(axis=1)
            depths = np.where(face < 0, 0.0, camera.project(points)[1] * noise.normal(1.0, 0.01, len(face)))
            depths = depths.reshape(camera.height, camera.width).astype(np.float32)
            write(index, DepthMap(depths, depths > 0))

    points = cloud(tmp_path, true_depths).points
    assert np.abs(np.linalg.norm(points, axis=1) - 1.0).mean() < 0.02


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(lambda maps: maps[:, 1:], r"is \(400, 399\) float32 instead of \(400, 400\) float32", id="size"),
        pytest.param(
            lambda maps: maps.astype(float), r"is \(400, 400\) float64 instead of \(400, 400\) float32", id="type"
        ),
        pytest.param(lambda maps: maps * np.float32(np.nan), "has negative or infinite depths, or NaN", id="nan"),
    ],
)
def test_depths_that_do_not_fit_their_view_are_refused(
    tmp_path: Path, change: Callable[[Singles], Singles], text: str
) -> None:
    def wrong_depths(task: DepthTask, write: Write) -> None:
        depths = np.ones((task.cameras[2].height, task.cameras[2].width), np.float32)
        write(2, DepthMap(change(depths), depths > 0))

    with pytest.raises(ValueError, match=f"depth map of 2.jpg {text}"):
        cloud(tmp_path, wrong_depths)


@pytest.fixture
def folder(tmp_path: Path) -> StageFolder:
    return StageFolder(tmp_path / "stages", "key", attempt=1)


class Filling:
    """Fills a database as the pipeline does, and counts what it makes."""

    def __init__(self, scratch: Path, folder: StageFolder) -> None:
        scratch.mkdir(exist_ok=True)
        self.database = scratch / "features.db"
        self.stages = Stages(folder)
        self.made: list[str] = []

    def extract(self, _: object) -> None:
        self.made.append("features")
        self._add_camera()

    def match(self, _: object) -> None:
        self.made.append("matches")
        self._add_camera()

    def _add_camera(self) -> None:
        """Add what stands for features or matches."""
        with pycolmap.Database.open(self.database) as opened:
            opened.write_camera(pycolmap.Camera(model="PINHOLE", width=4, height=3, params=[4.0, 4.0, 2.0, 1.5]))

    def killed(self, _: object) -> None:
        self.match(None)
        raise KeyboardInterrupt

    def run(self, match: Callable[[object], None] | None = None) -> list[str]:
        aligning.fill_database(self.stages, self.database, {}, extract=self.extract, match=match or self.match)
        with pycolmap.Database.open(self.database) as opened:
            assert len(opened.read_all_cameras()) == 2  # features and matches
        return self.made


def names_in(folder: StageFolder) -> list[str]:
    return sorted(path.name.partition("~")[0] for path in folder.path.iterdir())


def test_a_run_killed_while_it_matches_leaves_its_features_unchanged(tmp_path: Path, folder: StageFolder) -> None:
    first = Filling(tmp_path / "first", folder)
    with pytest.raises(KeyboardInterrupt):
        first.run(first.killed)
    assert names_in(folder) == ["features"]
    assert Filling(tmp_path / "second", folder).run() == ["matches"]
    assert names_in(folder) == ["matches"]
    assert Filling(tmp_path / "third", folder).run() == []


def test_a_stage_that_cannot_be_written_keeps_the_previous_one(tmp_path: Path, folder: StageFolder) -> None:
    whole = StageFolder(tmp_path / "whole", "key", attempt=1)
    Filling(tmp_path / "first", whole).run()
    stage_bytes = sum(file.stat().st_size for file in whole.path.rglob("*") if file.is_file())
    Filling(tmp_path / "second", StageFolder(folder.path, folder.key, 1, max_bytes=stage_bytes * 3 // 2)).run()
    assert names_in(folder) == ["features"]


def test_a_stage_that_cannot_be_written_does_not_fail_the_run(tmp_path: Path) -> None:
    nowhere = StageFolder(tmp_path / "missing" / "stages", "key")
    assert Filling(tmp_path / "first", nowhere).run() == ["features", "matches"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"textureSize": 512, "faces": 5000, "compress": True, "obj": True}, list(kept.NAMES)),
        ({"crop": False}, list(kept.NAMES[: kept.NAMES.index("surface-points")])),
        ({"seed": 1}, ["photos", "features"]),
        ({"maxImageSize": 1000}, []),
    ],
)
def test_a_stage_serves_runs_that_differ_only_in_what_it_does_not_read(
    tmp_path: Path, folder: StageFolder, changed: dict[str, object], expected: list[str]
) -> None:
    def stages(parameters: dict[str, object]) -> Stages:
        work = Work((), tmp_path, tmp_path, parameters, 1, folder)
        return kept.stages_of(work, settings({"quality": "fast"} | parameters))

    for name in kept.NAMES:
        stages({}).seal(name, stages({}).begin(name))
    assert [name for name in kept.NAMES if stages(changed).find(name) is not None] == expected


def test_prepared_photos_are_read_back_with_their_files(tmp_path: Path, folder: StageFolder) -> None:
    source = tmp_path / "photo.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "DJI"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 30.0, 58.68), 3: "E", 4: (13.0, 22.0, 39.72), 6: 71.5})
    Image.new("RGB", (60, 40), "red").save(source, exif=exif)
    work = Work((Photo(source, 60, 40, 1),), tmp_path, tmp_path, {}, 1)
    first, _ = aligning.prepared_photos(Stages(folder), work, 30, QUIET)
    source.unlink()
    second, files = aligning.prepared_photos(Stages(folder), work, 30, QUIET)
    assert second == first
    assert second[0].place is not None
    with Image.open(files / second[0].name) as image:
        assert image.size == (30, 20)


def test_a_resumed_run_reports_its_stage(folder: StageFolder) -> None:
    heard: list[tuple[Step, float, str, str]] = []

    def report(step: Step, fraction: float, message: str = "", *, resumed: str = "", **_: object) -> None:
        heard.append((step, fraction, message, resumed))

    timetable = Timetable(report, lambda _: dict.fromkeys(Stage, 1.0), clock=lambda: 0.0)
    work = Work((), folder.path, folder.path, {}, 1)
    kept.announce(Stages(folder), timetable, work)
    assert heard == []
    for name in (kept.SPARSE, kept.DEPTHS):
        stages = Stages(folder)
        if name == kept.DEPTHS:
            stages.rest_on(kept.SPARSE)
        stages.seal(name, stages.begin(name))
    kept.announce(Stages(folder), timetable, work)
    resumed = "depth-maps of attempt 1"
    assert heard == [(Step.RECONSTRUCT, pytest.approx(4 / 6), f"continues after {resumed}", resumed)]


def test_a_photo_that_another_run_has_prepared_is_not_decoded_again(tmp_path: Path, folder: StageFolder) -> None:
    heard: list[tuple[str, str]] = []

    def report(step: Step, fraction: float, message: str = "", *, resumed: str = "", **_: object) -> None:
        heard.append((message, resumed))

    def photo(name: str, colour: str) -> Photo:
        Image.new("RGB", (60, 40), colour).save(tmp_path / name)
        return Photo(tmp_path / name, 60, 40, 1, sha256=colour)

    def run(key: str, *photos: Photo) -> tuple[list[PreparedPhoto], Path]:
        stages = Stages(replace(folder, key=key, family="model", job_id=key, job=key))
        work = Work(photos, tmp_path, tmp_path, {}, 1)
        kept.announce(stages, Timetable(report, lambda _: dict.fromkeys(Stage, 1.0)), work)
        return aligning.prepared_photos(stages, work, 30, QUIET)

    old = photo("b.png", "red")
    (first,), files = run("first", old)
    old.path.write_bytes(b"not read again")
    prepared, after = run("second", photo("a.png", "blue"), old)
    resumed = "photos of job first (1 of 2 photos)"
    assert heard == [(f"continues with {resumed}", resumed)]
    assert prepared[1] == replace(first, name="0001.jpg")
    assert (after / "0001.jpg").read_bytes() == (files / first.name).read_bytes()
