from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reconstruction_operator.models.interface import Photo, Work
from reconstruction_operator.models.photogrammetry.advice import advising
from reconstruction_operator.models.photogrammetry.advice.files import Advice
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.dense.depthmaps import compute
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.output.results import Model
from reconstruction_operator.models.photogrammetry.parameters import QUALITIES
from reconstruction_operator.models.photogrammetry.run import Fit, Run, Scene
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.models.photogrammetry.surface.regions import Region
from reconstruction_operator.models.photogrammetry.surface.surface import Samples
from reconstruction_operator.models.photogrammetry.timing.costs import Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable
from reconstruction_operator.models.stages import Stages

from tests.support.engine import scenes
from tests.support.engine.geometry import coloured_square, ignore, photo_of, sphere


class Case:
    """A ball of which photos show one side."""

    def __init__(self, folder: Path) -> None:
        cameras = scenes.around(5, arc_deg=80.0, height=1.0, radius=4.0)
        pictures = folder / "pictures"
        paths = scenes.save(pictures, [scenes.box_photo(camera, 1) for camera in cameras])
        photos = tuple(Photo(path, 400, 400, 1) for path in paths)
        work = Work(photos, folder, folder, {}, 1)
        timetable = Timetable(ignore, lambda _: dict.fromkeys(Stage, 1.0))
        prepared = [PreparedPhoto(path.name, path.name, 400, 400, None, "") for path in paths]
        self.run = Run(work, QUALITIES["fast"], timetable, Stages.of(work), prepared, pictures, compute)
        none = np.zeros(0, np.int64)
        placed = tuple(photo_of(camera, path.name, none) for camera, path in zip(cameras, paths, strict=True))
        sparse = SparseModel(placed, np.zeros((0, 3)), 0.5)
        views = [View(path.name, path, camera, 1.0, 9.0, ()) for camera, path in zip(cameras, paths, strict=True)]
        self.scene = Scene(sparse, sparse, views, cameras, is_around=False, is_cropped=False)
        self.ball = sphere()
        cloud = Cloud(np.zeros((0, 3)), np.zeros((0, 3)))
        samples = Samples(cloud.points, cloud.normals, 0.1, 8, cloud.points, 0)
        self.fit = Fit(self.ball, samples, Region.everywhere())
        colours = np.zeros((len(self.ball.vertices), 3), np.float32)
        seen = np.zeros(len(self.ball.vertices), np.int64)
        square = coloured_square()
        self.model = Model(self.ball, colours, seen, square, cloud, sparse, self.ball.vertices, inside=False)

    def advise(self) -> tuple[list[Advice], str]:
        normals = self.ball.normals()
        shown = [((camera.centre - self.ball.vertices) * normals).sum(axis=1) > 0 for camera in self.scene.cameras]
        return advising.advise(
            self.run,
            self.scene,
            self.fit,
            self.model,
            weights=np.stack(shown, axis=1).astype(np.float32),
            subject=np.ones(len(self.ball.vertices), dtype=np.bool_),
            metres=None,
            placement=None,
        )


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_advice_is_written_and_summed_up(case: Case, tmp_path: Path) -> None:
    advice, words = case.advise()
    assert len(advice) == 6
    assert words.startswith("6 more photos would show ")
    assert (tmp_path / "advice.json").exists()
    assert sorted(path.name for path in (tmp_path / "standpoints").iterdir()) == [f"{one}.jpg" for one in range(1, 7)]


def test_a_defect_is_logged_and_named_instead_of_advice(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.model = replace(case.model, sparse=replace(case.model.sparse, photos=()))
    with caplog.at_level(logging.ERROR):
        assert case.advise() == ([], "none: KeyError: '00.jpg'")
    assert "Traceback" in caplog.text


def test_a_picture_that_cannot_be_written_fails_the_run(case: Case, tmp_path: Path) -> None:
    (tmp_path / "standpoints").write_text("not a folder")
    with pytest.raises(FileExistsError):
        case.advise()
