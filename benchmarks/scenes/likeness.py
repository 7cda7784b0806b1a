"""Likeness: PSNR and SSIM of a rendered result and the held-out photos of its scene, where they show the subject.

Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity": Gaussian windows of 1.5
px, grey levels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from reconstruction_operator.models.photogrammetry.arrays import Pixels, Singles
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh
from reconstruction_operator.models.photogrammetry.texture.colour import sample

from benchmarks.scenes import rendering
from benchmarks.scenes.catalogue import Scene

_MISSING = 128.0  # level of a pixel without surface
_STABILISERS = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def likeness(mesh: Mesh, visual: Any, scene: Scene) -> tuple[float, float]:
    """Return PSNR in dB and SSIM, means over the held-out photos, of a textured `mesh` in the
    coordinates of `scene`.
    """
    texture = np.asarray(visual.material.baseColorTexture.convert("RGB"))
    texels = np.stack([visual.uv[:, 0], 1.0 - visual.uv[:, 1]], axis=1) * np.array(texture.shape[1::-1]) - 0.5
    caster = Caster(mesh)
    subject = Caster(scene.subject)
    painted = scene.painted()
    values = []
    for camera in scene.held_out:
        photo = rendering.photo(painted, camera, seed=0)
        rays = camera.rays()
        eyes = np.broadcast_to(camera.centre, rays.shape)
        (face, weights) = caster.cast(eyes, rays)
        shown = (subject.cast(eyes, rays)[0] >= 0).reshape(photo.shape[:2])
        hit = face >= 0
        pixels = np.full((len(hit), 3), _MISSING, dtype=np.float32)
        pixels[hit] = sample(texture, np.einsum("nc,ncx->nx", weights[hit], texels[mesh.faces[face[hit]]]))
        picture = pixels.reshape(photo.shape)
        error = float(((picture - photo)[shown] ** 2).mean())
        values.append((10 * np.log10(255**2 / error), float(similarity(picture, photo)[shown].mean())))
    psnr, ssim = np.mean(values, axis=0).tolist()
    return psnr, ssim


def similarity(first: Singles | Pixels, second: Singles | Pixels) -> Singles:
    """(height, width): the structural similarity around each pixel of two pictures, RGB 0 to 255."""
    grey, other = (cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_RGB2GRAY) for picture in (first, second))
    products = (grey, other, grey * other, grey * grey + other * other)
    mean, mean_other, both, squares = (cv2.GaussianBlur(product, (0, 0), 1.5) for product in products)
    (small, large), means, powers = _STABILISERS, mean * mean_other, mean**2 + mean_other**2
    alike = (2 * means + small) / (powers + small) * (2 * (both - means) + large) / (squares - powers + large)
    return np.asarray(alike, dtype=np.float32)
