from __future__ import annotations

import numpy as np
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

from tests.support.engine.geometry import sphere


def test_a_wall_behind_the_eye_hides_nothing() -> None:
    room = Mesh(sphere().vertices, sphere().faces[:, ::-1])
    eye = np.array([0.1, 0.2, 0.3])
    assert Caster(room).sees(room.middles(), room.face_normals(), eye).all()
    assert not Caster(room).sees(room.middles(), room.face_normals(), 3 * eye / np.linalg.norm(eye)).any()
