"""Parameters: the table of user parameters with types, ranges and help, and the settings of each quality."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconstruction_operator.models.interface import ModelFailure

STAGE_NAMES = ("photos", "features", "matches", "alignment", "views", "depth", "fusion", "surface", "texture")
"""The stages that `spec.stageQueues` may name, in order: each is kept as a stage, except the last."""


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """The settings of a quality, which trade time for detail. Sizes in px are of the longer side."""

    max_image_size: int  # px: photos are reduced to this size first
    features: int  # maximum number of SIFT features of each photo
    depth_size: int  # px: of coarse depth maps, over the whole range of depths
    depth_planes: int  # maximum number of depths tried for each pixel of a coarse depth map
    depth_sources: int  # neighbouring photos used for each depth map
    refined_sizes: tuple[int, ...]  # px: of finer depth maps, each refined from the previous; the last ones are fused
    octree_depth: int  # maximum, of the Poisson surface: cells are 1/2^depth of the scene
    faces: int  # maximum number of triangles in model_full.glb
    texture_faces: int  # maximum in model.glb
    texture_size: int  # px: side of the square texture
    largest_texture: int  # px: the same where a texel would be more than two pixels of the photos
    diagonal_paths: bool = False  # aggregate along 8 directions instead of 4
    refine: bool = True  # move the surface to where the photos agree best
    patch_match: bool = False  # let COLMAP compute the depth maps if it can use a GPU
    turn_frames: int = 24  # frames of the animation in which the model turns
    crop: bool = True  # keep only the region that the cameras look at, if they converge
    compress: bool = False  # also write model_compressed.glb
    obj: bool = False  # also write model.obj
    marker_size: float = 0.0  # m: side of the printed markers that set the scale; 0: none
    seed: int = 0  # of the random numbers


@dataclass(frozen=True, slots=True)
class PartSizes:
    """How many items a part of a stage has at most, if several workers make the stage (`dividing`).

    A stage that is expected to take less than `least_seconds` of CPU is not divided: the start of a helper takes two or
    three, and it reads what the run has.
    """

    photos: int = 25  # prepared
    features: int = 20  # photos
    pairs: int = 400  # matched; each part reads the features of its photos again, and prepares their search
    views: int = 25
    depths: int = 20  # views
    fusion: int = 25  # views
    least_seconds: float = 12.0


PART_SIZES = PartSizes()


QUALITIES: Mapping[str, QualitySettings] = {
    "preview": QualitySettings(
        max_image_size=900,
        features=2500,
        depth_size=200,
        depth_planes=48,
        depth_sources=3,
        refined_sizes=(320,),
        octree_depth=7,
        faces=20_000,
        texture_faces=4000,
        refine=False,
        texture_size=1024,
        largest_texture=1024,
        turn_frames=8,
    ),
    "fast": QualitySettings(
        max_image_size=1600,
        features=5000,
        depth_size=320,
        depth_planes=96,
        depth_sources=4,
        refined_sizes=(320, 640),
        octree_depth=8,
        faces=80_000,
        texture_faces=40_000,
        texture_size=2048,
        largest_texture=4096,
    ),
    "standard": QualitySettings(
        max_image_size=2000,
        features=6000,
        depth_size=320,
        depth_planes=96,
        depth_sources=4,
        refined_sizes=(320, 800),
        octree_depth=9,
        faces=200_000,
        texture_faces=60_000,
        texture_size=4096,
        largest_texture=4096,
    ),
    "high": QualitySettings(
        max_image_size=2400,
        features=8000,
        depth_size=480,
        depth_planes=160,
        depth_sources=6,
        diagonal_paths=True,
        refined_sizes=(480, 800, 1600),
        patch_match=True,
        octree_depth=10,
        faces=500_000,
        texture_faces=90_000,
        texture_size=8192,
        largest_texture=8192,
    ),
}

DEFAULT_QUALITY = "standard"


@dataclass(frozen=True, slots=True)
class Override:
    """A parameter that overrides `setting` of the chosen quality: a number within `limits`, or
    without them yes or no.
    """

    setting: str
    help: str
    limits: tuple[int, int] | None = None
    kind: str = "integer"  # of JSON Schema
    largest: str = ""  # setting that the parameter sets, too: without the parameter, the photos decide between both

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that the parameter sets."""
        return (self.setting, self.largest) if self.largest else (self.setting,)

    def defaults(self, quality: QualitySettings) -> list[Any]:
        """Return the values, between which the photos decide if there are several, that `quality` sets."""
        return sorted({getattr(quality, setting) for setting in self.settings})

    @property
    def allowed(self) -> str:
        """The allowed values in words, for error messages."""
        number = "a whole number" if self.kind == "integer" else "a number"
        return "true or false" if self.limits is None else f"{number} from {self.limits[0]} to {self.limits[1]}"

    @property
    def schema(self) -> dict[str, object]:
        """The JSON Schema of the parameter."""
        if self.limits is None:
            return {"type": "boolean", "description": self.help}
        return {"type": self.kind, "minimum": self.limits[0], "maximum": self.limits[1], "description": self.help}

    def accepts(self, value: object) -> bool:
        """Return whether `value` is allowed. A bool is not a whole number, though in Python it is an int."""
        if self.limits is None or isinstance(value, bool):
            return self.limits is None and isinstance(value, bool)
        numbers = int if self.kind == "integer" else int | float
        return isinstance(value, numbers) and self.limits[0] <= value <= self.limits[1]


MAX_IMAGE_SIDE = 4000
"""px: the largest `maxImageSize`."""

OVERRIDES: Mapping[str, Override] = {
    "maxImageSize": Override(
        "max_image_size", "maximum of the longer side of photos in px; larger ones are reduced", (400, MAX_IMAGE_SIDE)
    ),
    "textureSize": Override(
        "texture_size",
        "side of the texture in px; without it, larger where a texel would be more than two pixels of the photos",
        (256, 8192),
        largest="largest_texture",
    ),
    "faces": Override("faces", "maximum number of triangles in model_full.glb", (1_000, 1_000_000)),
    "crop": Override("crop", "keep only the region that the photos look at, not the far surroundings"),
    "markerSize": Override(
        "marker_size",
        "side in metres, without the white border, of printed ArUco or AprilTag markers: the mesh is "
        "in metres; 0: none",
        (0, 100),
        kind="number",
    ),
    "compress": Override("compress", "also write model_compressed.glb: the textured mesh, compressed by Draco"),
    "obj": Override("obj", "also write model.obj: the textured mesh, with model.mtl and model_texture.png"),
    "seed": Override("seed", "seed of the random numbers", (0, 2**31 - 1)),
}


def check(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return `parameters` with all defaults filled in, except those that depend on the photos.

    Raises ModelFailure (INVALID_PARAMETERS) with the parameter, its value and the allowed values.
    """
    names = ["quality", *OVERRIDES]
    for name in parameters:
        if name not in names:
            raise ModelFailure("INVALID_PARAMETERS", f"unknown parameter {name!r}: known are {', '.join(names)}")
    quality = parameters.get("quality", DEFAULT_QUALITY)
    if not isinstance(quality, str) or quality not in QUALITIES:
        raise _refused("quality", quality, f"one of {', '.join(QUALITIES)}")
    checked: dict[str, object] = {"quality": quality}
    for name, parameter in OVERRIDES.items():
        if name not in parameters and len(parameter.defaults(QUALITIES[quality])) > 1:
            continue
        value = parameters.get(name, getattr(QUALITIES[quality], parameter.setting))
        if not parameter.accepts(value):
            raise _refused(name, value, parameter.allowed)
        checked[name] = value
    return checked


def schema() -> dict[str, object]:
    """Return the JSON Schema of the parameters that `check` accepts."""
    quality = {
        "enum": list(QUALITIES),
        "default": DEFAULT_QUALITY,
        "description": "level of detail: more detail takes more time",
    }
    properties = {"quality": quality, **{name: parameter.schema for name, parameter in OVERRIDES.items()}}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def settings(parameters: Mapping[str, object]) -> QualitySettings:
    """Return the settings for `parameters`; raises as `check`."""
    checked = check(parameters)
    overrides: dict[str, Any] = {
        setting: checked[name]
        for name, parameter in OVERRIDES.items()
        for setting in parameter.settings
        if name in checked
    }
    chosen = QUALITIES[str(checked["quality"])]
    overridden = replace(chosen, **overrides)
    return replace(overridden, texture_faces=min(chosen.texture_faces, overridden.faces))


def _refused(name: str, value: object, allowed: str) -> ModelFailure:
    given = repr(value) if isinstance(value, str) else json.dumps(value, default=repr)  # null, not None
    return ModelFailure("INVALID_PARAMETERS", f"parameter {name}: {given} was given, allowed is {allowed}")
