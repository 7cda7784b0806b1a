from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.scenes import catalogue, shapes
from benchmarks.scenes.catalogue import Scene
from benchmarks.scenes.paint import Paint
from tests.support.engine.geometry import sphere


def test_a_written_scene_is_read_again_with_its_truth(tmp_path: Path) -> None:
    walk = catalogue.walk(100)
    scene = Scene(sphere(2), 2.0, Paint(1.0, 0.1), [camera.resized(48, 36) for camera in walk.cameras[:3]])
    catalogue.write(scene, tmp_path, threads=2)

    truth = catalogue.read_truth(tmp_path)
    assert truth.photos == ["000.jpg", "001.jpg", "002.jpg"]
    assert [cv2.imread(str(tmp_path / name)).shape for name in truth.photos] == [(36, 48, 3)] * 3
    assert np.array_equal(truth.centres[2], walk.cameras[2].centre)
    assert np.array_equal(truth.subject.faces, scene.subject.faces)


def test_each_photo_of_a_walk_looks_at_the_wall_and_overlaps_the_next() -> None:
    walk = catalogue.walk(100)
    walls = walk.subject.vertices
    pairs = zip(walk.cameras, [*walk.cameras[1:], walk.cameras[0]], strict=True)
    for camera, after in [*pairs][::25]:
        assert 0.2 < np.linalg.norm(camera.centre - after.centre) < 0.8
        pixels, depths = camera.project(walls)
        ahead = np.linalg.norm(pixels - [479.5, 359.5], axis=1) < 60
        assert 3.0 < depths[ahead & (depths > 0)].min() < 5.0


def test_each_photo_of_a_flight_shows_the_whole_house_with_its_roof() -> None:
    flight = catalogue.flight(5)
    for camera in flight.cameras:
        pixels, depths = camera.project(flight.subject.vertices)
        assert camera.centre[2] > flight.subject.vertices[:, 2].max()
        assert depths.min() > 0
        assert ((pixels >= 0) & (pixels < [camera.width, camera.height])).all()


def test_the_house_is_closed_above_the_ground() -> None:
    house = shapes.house()
    edges = np.sort(np.concatenate([house.faces[:, [0, 1]], house.faces[:, [1, 2]], house.faces[:, [2, 0]]]), axis=1)
    numbers, counts = np.unique(edges @ [len(house.vertices), 1], return_counts=True)
    used = np.stack(np.divmod(numbers, len(house.vertices)), axis=1)
    assert counts.max() == 2
    assert house.vertices[used[counts == 1]][:, :, 2].max() == 0.0


@pytest.mark.parametrize(
    ("program", "error"),
    [
        pytest.param('echo other > "$4/bunny-1.0.1.tgz"', "not the file that was reviewed", id="another digest"),
        pytest.param("echo no registry >&2; exit 1", r"^npm cannot fetch bunny@1\.0\.1: no registry$", id="npm fails"),
    ],
)
def test_a_bunny_that_npm_does_not_deliver_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, error: str
) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{program}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RuntimeError, match=error):
        shapes.bunny()
