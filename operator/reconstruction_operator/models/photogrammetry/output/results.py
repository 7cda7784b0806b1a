"""Result files: writes the meshes, the points, the cameras and the previews to one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from scipy.spatial import cKDTree

from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Pixels, Singles
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.output import camerafiles, glb, previews
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.models.photogrammetry.surface import surface
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh

_FAR = 0.03  # of the box's side; points farther from the surface do not get its colour
_UNKNOWN_COLOUR = 128
_PREVIEWS = 4
_SHARE_OF_STILLS = 0.5  # in the time for pictures; stills are larger than the frames of the animation
_TURN_MILLISECONDS = 2880  # of all frames
_TURN_QUALITY = 75


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """What a run has made, in model coordinates."""

    mesh: Mesh
    colours: Singles  # (vertices of the mesh, 3): sRGB 0 to 255
    seen_by: Integers  # (vertices of the mesh,): how many photos see each
    textured: glb.Textured
    cloud: Cloud
    sparse: SparseModel  # placed
    subject: Doubles  # (n, 3): vertices of the subject, which previews show
    inside: bool  # whether the scene is around the cameras


def write_models(folder: Path, model: Model, settings: QualitySettings) -> None:
    """Write the meshes, the points and the cameras to `folder`."""
    (folder / "model.glb").write_bytes(glb.textured(model.textured))
    (folder / "model_full.glb").write_bytes(glb.coloured(model.mesh, model.colours))
    if settings.compress:
        (folder / "model_compressed.glb").write_bytes(glb.compressed(model.textured))
    if settings.obj:
        _write_obj(folder / "model.obj", model.textured)
    surface.write_ply(folder / "pointcloud.ply", model.cloud, _colours_at(model.cloud.points, model))
    camerafiles.write_json(folder / "cameras.json", model.sparse)
    camerafiles.write_colmap(folder / "colmap", model.sparse, _colours_at(model.sparse.points, model))


def _write_obj(path: Path, model: glb.Textured) -> None:
    """Write the mesh, and beside it the material and the texture."""
    material = trimesh.visual.material.SimpleMaterial(  # type: ignore[no-untyped-call]  # trimesh has no types here
        Image.fromarray(model.texture), diffuse=[255] * 4, specular=[0, 0, 0, 255], name="model_texture"
    )
    upwards = model.uv * [1, -1] + [0, 1]  # OBJ measures textures from the lower left
    visual = trimesh.visual.TextureVisuals(uv=upwards, material=material)  # type: ignore[no-untyped-call]  # the same
    mesh = trimesh.Trimesh(
        model.mesh.vertices, model.mesh.faces, vertex_normals=glb.unit(model.normals), visual=visual, process=False
    )
    mesh.export(path, include_normals=True, mtl_name="model.mtl", header="")


def write_previews(folder: Path, model: Model, turn_frames: int, progress: StageProgress) -> Pixels:
    """Write previews of the model to `folder`, and an animation of `turn_frames` frames in which it turns; return the
    first preview.
    """
    caster = Caster(model.textured.mesh)
    centres = np.stack([photo.camera.centre for photo in model.sparse.photos])
    pictures = []
    for index, camera in enumerate(_stills(model, centres)):
        pictures.append(previews.render(model.textured, caster, camera))
        Image.fromarray(pictures[-1]).save(folder / f"preview_{index}.png")
        progress(_SHARE_OF_STILLS * (index + 1) / _PREVIEWS, f"preview {index + 1}/{_PREVIEWS}")
    frames = []
    if model.inside:
        turn = previews.from_inside(centres, turn_frames, moving=True)
    else:
        turn = previews.around(model.subject, previews.directions(centres, turn_frames))
    for index, camera in enumerate(turn):
        frames.append(Image.fromarray(previews.render(model.textured, caster, camera, previews.TURN_PX)))
        done = (index + 1) / turn_frames
        progress(
            _SHARE_OF_STILLS + (1.0 - _SHARE_OF_STILLS) * done,
            f"picture {index + 1}/{turn_frames} of the model as it turns",
        )
    write_turn(folder / "preview_turn.webp", frames, whole=model.inside or previews.surround(centres))
    return pictures[0]


def _stills(model: Model, centres: Doubles) -> list[Camera]:
    """Return the cameras of the previews: from inside, or from around the subject, the first of which shows the whole
    model.
    """
    if model.inside:
        return previews.from_inside(centres, _PREVIEWS, moving=False)
    first, *others = previews.directions(centres, _PREVIEWS)
    return [previews.framed(model.mesh.vertices, first), *(previews.framed(model.subject, view) for view in others)]


def write_turn(path: Path, frames: list[Image.Image], *, whole: bool) -> None:
    """Write an endless animation: all around (`whole`), or along the arc of the photos and back.

    The duration of one pass does not depend on the number of frames.
    """
    duration = _TURN_MILLISECONDS // len(frames)
    frames = frames if whole else [*frames, *frames[-2:0:-1]]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0, quality=_TURN_QUALITY)


def _colours_at(points: Doubles, model: Model) -> Pixels:
    """(n, 3): the colour of the surface at each of `points`, grey where there is no surface nearby."""
    distances, nearest = cKDTree(model.mesh.vertices).query(points, distance_upper_bound=_FAR)
    hit = np.isfinite(distances)
    colours = np.full((len(points), 3), _UNKNOWN_COLOUR, np.uint8)
    colours[hit] = np.clip(np.rint(model.colours[nearest[hit]]), 0, 255)
    return colours
