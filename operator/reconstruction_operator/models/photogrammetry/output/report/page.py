"""Report page: the photos used and left out, the cameras, accuracy, coverage, durations, and the model in 3D.

Names of photos come from users. So every text passes `escape`, and the page's policy allows only its own script.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from html import escape
from importlib import resources
from pathlib import Path
from string import ascii_uppercase

import cv2
import numpy as np
from PIL import Image

from reconstruction_operator.models.interface import Result
from reconstruction_operator.models.photogrammetry.advice.files import Advice
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Integers, Pixels
from reconstruction_operator.models.photogrammetry.output import glb
from reconstruction_operator.models.photogrammetry.output.results import Model
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

_VIEWER = resources.files(__package__) / "viewer" / "model-viewer.min.js.gz"
_ASSETS = resources.files(__package__)
_TEXTURE_PX = 2048
_JPEG_QUALITY = 80  # of the texture in the page; model.glb has the better one
_POSTER_QUALITY = 80
_MOST_WITNESSES = 5  # maximum count; vertices that more photos see are in the same row
_ACROSS = 1000.0  # of the plan of the cameras, in units of its drawing
_MARGIN = 60.0  # around the plan
_SIGHT = 55.0  # length of a camera's field of view
_TEXT = 22.0
_DOWNWARDS = 0.2  # minimum level part of the line of sight; with less, the camera looks up or down


def write(
    path: Path,
    model: Model,
    result: Result,
    *,
    advice: Sequence[Advice],
    poster: Pixels,
    parameters: Mapping[str, object],
    seconds: Mapping[str, float],
) -> None:
    """Write the page as one file.

    `advice` is about more photos. `poster` (h, w, 3) is shown until the model is loaded, and without WebGL; `seconds`
    are by step.
    """
    style, script = (_ASSETS.joinpath(name).read_text() for name in ("page.css", "page.js"))
    durations = {name: timedelta(seconds=round(taken)) for name, taken in seconds.items()}
    used = len(model.sparse.photos)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # WebAssembly: <model-viewer> has a decoder in it.
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}' blob: 'wasm-unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; "
        "connect-src blob:; base-uri 'none'; form-action 'none'"
    )
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Reconstruction report</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
        "<h1>Reconstruction report</h1>",
        f"<p>{used} of {used + len(model.sparse.left_out)} photos used.</p>",
        _section("Warning", f'<p class="warnings">{escape(result.warning)}</p>') if result.warning else "",
        _viewer(poster),
        _section("More photos", _advice(advice)) if advice else "",
        _section("Cameras from above", _plan(model.sparse, model.textured.mesh, advice)),
        _section("Coverage", _coverage(model.seen_by)),
        _section("Photos", _photos(model.sparse)),
        _section("Numbers", _facts({**parameters, **_numbers(result, advice)})),
        _section("Durations", _facts(durations)),
        "</main>",
        _packed("viewer-script", _VIEWER.read_bytes()),
        _packed("model-data", gzip.compress(_small_model(model.textured), mtime=0)),
        f'<script type="module">{script}</script>\n</body>\n</html>',
    ]
    text = "\n".join(part for part in parts if part) + "\n"
    path.write_bytes(text.encode(errors="replace"))  # file names may contain bytes that are not text


def _viewer(poster: Pixels) -> str:
    encoded = io.BytesIO()
    Image.fromarray(poster).save(encoded, "WEBP", quality=_POSTER_QUALITY)
    picture = base64.b64encode(encoded.getvalue()).decode()
    return _section(
        "Model",
        f'<div id="place"><img src="data:image/webp;base64,{picture}" alt="The model from one side"></div>\n'
        "<p>Drag to turn, scroll to zoom, or use the arrow keys. <code>model.glb</code> has the full texture.</p>",
    )


def _small_model(model: glb.Textured) -> bytes:
    """Return a GLB of the textured model with a smaller texture."""
    side = min(_TEXTURE_PX, model.texture.shape[0])
    texture = cv2.resize(model.texture, (side, side), interpolation=cv2.INTER_AREA)
    return glb.textured(replace(model, texture=np.asarray(texture, dtype=np.uint8)), jpeg_quality=_JPEG_QUALITY)


def _advice(advice: Sequence[Advice]) -> str:
    """Draw where to take more photos: a picture and a sentence for each, with its letter in the plan."""
    entries = "\n".join(
        f'<figure><img src="data:image/jpeg;base64,{base64.b64encode(place.picture).decode()}" '
        f'alt="The photo that was taken nearest to standpoint {letter}">'
        f"<figcaption><b>{letter}</b> {escape(place.text)}. It would show {place.standpoint.gain:.1%} of the surface "
        "better.</figcaption></figure>"
        for letter, place in zip(ascii_uppercase, advice, strict=False)
    )
    return (
        "<p>Photos from here would show most of the surface that is now missing, grey or seen by too few photos. "
        "The circle is what to look at, and the arrow the way to go. On a turntable, turn the object the other way "
        f'instead.</p>\n<div class="advice">{entries}</div>'
    )


def _plan(model: SparseModel, mesh: Mesh, advice: Sequence[Advice]) -> str:
    """Draw the cameras from above, as SVG: the outline of `mesh`, and each photo of the placed `model` with its number.

    The letters are standpoints of more photos. The front of the model is at the bottom.
    """
    footprint = mesh.vertices[:, [0, 2]]
    centres = np.stack([photo.camera.centre[[0, 2]] for photo in model.photos])
    more = np.array([place.standpoint.position[[0, 2]] for place in advice]).reshape(-1, 2)
    everything = np.concatenate([footprint, centres, more])
    low = everything.min(axis=0)
    high = everything.max(axis=0)
    scale = (_ACROSS - 2 * _MARGIN) / max(float((high - low).max()), np.finfo(float).tiny)

    def placed(points: Doubles) -> Doubles:
        moved: Doubles = (points - low) * scale + _MARGIN
        return moved

    outline = cv2.convexHull(placed(footprint).astype(np.float32)).reshape(-1, 2)
    width, height = (high - low) * scale + 2 * _MARGIN
    cameras = "\n".join(
        _camera(str(number), photo.name, photo.camera, place)
        for number, (photo, place) in enumerate(zip(model.photos, placed(centres), strict=True), start=1)
    )
    standpoints = "\n".join(
        _camera(letter, "a photo from here would help", advised.standpoint.camera, place, "camera more")
        for letter, advised, place in zip(ascii_uppercase, advice, placed(more), strict=False)
    )
    return (
        f'<svg class="plan" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{len(model.photos)} cameras around the model, from above">\n'
        f'<polygon class="model" points="{_points(outline.astype(np.float64))}"/>\n{cameras}\n{standpoints}\n</svg>'
    )


def _camera(mark: str, name: str, camera: Camera, place: Doubles, kind: str = "camera") -> str:
    sight = camera.rotation[2][[0, 2]]
    shape = f'<circle class="{kind}" cx="{place[0]:.0f}" cy="{place[1]:.0f}" r="{_SIGHT / 4:.0f}"/>'
    behind = np.array([0.0, 0.0])
    length = float(np.linalg.norm(sight))
    if length > _DOWNWARDS:
        ahead = sight / length * _SIGHT
        aside = np.array([-ahead[1], ahead[0]]) * camera.width / 2 / camera.lens[0]
        corners = np.stack([place, place + ahead + aside, place + ahead - aside])
        shape = f'<polygon class="{kind}" points="{_points(corners)}"/>'
        behind = -ahead / _SIGHT * _TEXT
    x, y = place + behind
    return (
        f"<g><title>{mark}: {escape(name)}</title>{shape}"
        f'<text x="{x:.0f}" y="{y + _TEXT / 3:.0f}" font-size="{_TEXT:.0f}">{mark}</text></g>'
    )


def _points(corners: Doubles) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _coverage(seen_by: Integers) -> str:
    counts = np.bincount(np.minimum(seen_by, _MOST_WITNESSES), minlength=_MOST_WITNESSES + 1)
    shares = counts / max(int(counts.sum()), 1)
    names = ["no photo", "1 photo", *(f"{n} photos" for n in range(2, _MOST_WITNESSES)), f"{_MOST_WITNESSES} or more"]
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td><svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect width="{share * 100:.1f}" height="8"/></svg></td><td>{share:.0%}</td></tr>'
        for name, share in zip(names, shares, strict=True)
    )
    return f"<p>How much of the surface is seen by how many photos.</p>\n<table><tbody>{rows}</tbody></table>"


def _photos(model: SparseModel) -> str:
    used = [
        (str(number), photo.name, "used", str(len(photo.seen)), f"{photo.errors(model.points).mean():.2f}")
        for number, photo in enumerate(model.photos, start=1)
    ]
    left = [("", photo.name, f"left out: {photo.why}", "", "") for photo in model.left_out]
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("No.", "Photo", "Use", "Points", "Error in px of the photo")
    )
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in [*left, *used])
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="Photos">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _numbers(result: Result, advice: Sequence[Advice]) -> Mapping[str, object]:
    """Return the result's numbers, without a summary of the advice that has its own section."""
    return {name: value for name, value in result.quality.items() if name != "advice" or not advice}


def _facts(values: Mapping[str, object]) -> str:
    words = {re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower(): value for name, value in values.items()}
    pairs = (f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in words.items())
    return f"<dl>{''.join(pairs)}</dl>"


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>"


def _packed(identifier: str, content: bytes) -> str:
    """Return gzipped `content` as text that the page's script unpacks.

    Base64 has no character that could end the element.
    """
    return f'<script type="text/plain" id="{identifier}">{base64.b64encode(content).decode()}</script>'
