"""PatchMatch: has COLMAP compute depth maps on a GPU.

Schoenberger et al. 2016, "Pixelwise view selection for unstructured multi-view stereo". It needs pycolmap built for
CUDA (package `pycolmap-cuda12`) and a device; without them `depthmaps` computes on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap, DepthTask, Write
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.input.photos import write_pixels
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.sparse.colmap import add_photo, pycolmap

_ROUNDS = 2  # over all photos: by similarity alone, then by consistency with the depths of the other photos
_JPEG_QUALITY = 97
_CACHE_GIB = 4.0  # for photos and depth maps; COLMAP's default is 32

Match = Callable[..., None]
"""`pycolmap.patch_match_stereo`: takes the path of the workspace and `options`."""


def available() -> bool:
    """Return whether pycolmap can use a GPU here."""
    return bool(pycolmap.has_cuda) and pycolmap.get_num_cuda_devices() > 0  # type: ignore[attr-defined]  # exists in builds for CUDA


def compute(task: DepthTask, write: Write, match: Match = pycolmap.patch_match_stereo) -> None:
    """Compute the depth map of each view and pass it to `write`."""
    views, cameras, folder = task.views, task.cameras, task.folder
    maps = folder / "stereo" / "depth_maps"
    for part in (folder / "images", folder / "sparse", maps, folder / "stereo" / "normal_maps"):
        part.mkdir(parents=True)
    model = pycolmap.Reconstruction()  # without points: the options limit the depths
    for number, (view, camera) in enumerate(zip(views, cameras, strict=True), start=1):
        add_photo(model, number, view.name, camera, np.zeros((0, 2)))
        small = cv2.resize(view.image(), (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        write_pixels(folder / "images" / view.name, bgr, _JPEG_QUALITY)
    model.write(folder / "sparse")
    with_sources = [view for view in views if view.sources]
    lines = [f"{view.name}\n{', '.join(views[source].name for source in view.sources)}\n" for view in with_sources]
    (folder / "stereo" / "patch-match.cfg").write_text("".join(lines))
    options = pycolmap.PatchMatchOptions()
    options.depth_min = min(view.near for view in views)
    options.depth_max = max(view.far for view in views)
    options.cache_size = _CACHE_GIB

    def measure() -> tuple[float, str]:
        done = sum(1 for _ in maps.glob("*.bin"))
        return done / (_ROUNDS * len(with_sources)), f"depth map {done}/{_ROUNDS * len(with_sources)} on the GPU"

    task.progress.during(lambda: match(folder, options=options), measure)
    for index, (view, camera) in enumerate(zip(views, cameras, strict=True)):
        write(index, _depth_map(view, camera, maps))


def _depth_map(view: View, camera: Camera, folder: Path) -> DepthMap:
    """Return COLMAP's depth map of the view. Every depth in it is sure: COLMAP has checked it by other photos."""
    shape = (camera.height, camera.width)
    path = folder / f"{view.name}.geometric.bin"
    depths = np.zeros(shape, dtype=np.float32)
    if path.exists():  # `width&height&channels&`, then single precision, row by row
        width, height, _, numbers = path.read_bytes().split(b"&", 3)
        depths = np.frombuffer(numbers, dtype="<f4").reshape(int(height), int(width))
    sound = (depths > 0) & view.shown(*depths.shape[::-1])
    return DepthMap(np.where(sound, depths, np.float32(0)), sound)
