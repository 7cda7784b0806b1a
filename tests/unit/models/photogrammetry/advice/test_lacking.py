from __future__ import annotations

import numpy as np
import pytest
from reconstruction_operator.models.photogrammetry.advice import lacking
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster

from tests.support.engine import scenes
from tests.support.engine.geometry import sphere


def test_surface_that_three_photos_show_from_the_front_lacks_none() -> None:
    ball = sphere()
    cameras = [scenes.around(1, height=0.0)[0]] * 3
    everything = np.ones(len(ball.vertices), dtype=np.bool_)
    seen = np.repeat(ball.vertices[:, [2]] > 0, 3, axis=1).astype(np.float32)

    found = lacking.of_surface(ball, seen, everything, cameras)

    assert found.points[:, 2].max() == pytest.approx(0.86, abs=0.05)  # at 37 degrees, seen from a distance of 5
    behind = found.points[:, 2] < 0
    assert (found.shares[behind] == 0).all()
    assert (found.shares[~behind] > 0).any()
    assert found.points[:, 1].min() > -0.4  # what looks down is on the ground
    assert found.total == pytest.approx(4 * np.pi * 0.65, rel=0.05)  # a ball above -0.3


def test_a_part_of_the_hull_without_surface_lacks_photos_unless_they_show_it() -> None:
    ball = sphere()
    cut = ball.with_faces(ball.middles()[:, 2] > -0.3)
    everything = np.ones(len(cut.vertices), dtype=np.bool_)
    in_front = scenes.around(4, arc_deg=30.0, height=0.0)
    behind = [camera for turn in (170.0, 175.0, 180.0) for camera in scenes.around(2, arc_deg=turn, height=0.0)[1:]]

    gap = lacking.of_hull(cut, everything, in_front, Caster(cut))

    assert len(gap.points) > 20
    assert gap.points[:, 2] == pytest.approx(-0.3, abs=0.1)
    assert gap.total == pytest.approx(np.pi * 0.91, rel=0.35)  # the middle of the disc
    assert len(lacking.of_hull(cut, everything, [*in_front, *behind], Caster(cut)).points) == 0


@pytest.mark.parametrize("count", [0, 3])
def test_a_subject_without_volume_has_no_hull(count: int) -> None:
    flat = sphere(1)
    flat.vertices[:, 1] = 0.0
    some = np.arange(len(flat.vertices)) < count
    assert len(lacking.of_hull(flat, some, scenes.around(3), Caster(flat)).points) == 0
