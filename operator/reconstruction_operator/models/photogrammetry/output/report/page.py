"""Report page: the photos used and left out, the cameras, accuracy, coverage, durations, and the model in 3D.

Names of photos come from users. So every text passes `escape`, and the page's policy allows only its own script.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from html import escape
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from reconstruction_operator.models.photogrammetry.arrays import Integers, Pixels
from reconstruction_operator.models.photogrammetry.output import glb
from reconstruction_operator.models.photogrammetry.output.report import plan
from reconstruction_operator.models.photogrammetry.output.userphotos import reprojections
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel

_VIEWER = resources.files(__package__) / "viewer" / "model-viewer.min.js.gz"
_ASSETS = resources.files(__package__)
_TEXTURE_PX = 2048
_JPEG_QUALITY = 80  # of the texture in the page; model.glb has the better one
_POSTER_QUALITY = 80
_MOST_WITNESSES = 5  # maximum count; vertices that more photos see are in the same row


@dataclass(frozen=True, eq=False, slots=True)
class Findings:
    """The contents of the page."""

    model: SparseModel  # placed
    textured: glb.Textured
    poster: Pixels  # (h, w, 3): shown until the model is loaded, and without WebGL
    seen_by: Integers  # (vertices of the model,): how many photos see each
    quality: Mapping[str, int | float | str]
    parameters: Mapping[str, object]
    seconds: Mapping[str, float]  # by step
    warning: str


def write(path: Path, findings: Findings) -> None:
    """Write the page as one file."""
    style, script = (_ASSETS.joinpath(name).read_text() for name in ("page.css", "page.js"))
    durations = {name: timedelta(seconds=round(seconds)) for name, seconds in findings.seconds.items()}
    used = len(findings.model.photos)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # WebAssembly: <model-viewer> has a decoder in it.
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}' blob: 'wasm-unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
        "connect-src blob:; base-uri 'none'; form-action 'none'"
    )
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Reconstruction report</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
        "<h1>Reconstruction report</h1>",
        f"<p>{used} of {used + len(findings.model.left_out)} photos used.</p>",
        _section("Warning", f'<p class="warnings">{escape(findings.warning)}</p>') if findings.warning else "",
        _viewer(findings),
        _section("Cameras from above", plan.drawing(findings.model, findings.textured.mesh)),
        _section("Coverage", _coverage(findings.seen_by)),
        _section("Photos", _photos(findings)),
        _section("Numbers", _facts({**findings.quality, **findings.parameters})),
        _section("Durations", _facts(durations)),
        "</main>",
        _packed("viewer-script", _VIEWER.read_bytes()),
        _packed("model-data", gzip.compress(_small_model(findings.textured), mtime=0)),
        f'<script type="module">{script}</script>\n</body>\n</html>',
    ]
    text = "\n".join(part for part in parts if part) + "\n"
    path.write_bytes(text.encode(errors="replace"))  # file names may contain bytes that are not text


def _viewer(findings: Findings) -> str:
    encoded = io.BytesIO()
    Image.fromarray(findings.poster).save(encoded, "WEBP", quality=_POSTER_QUALITY)
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


def _photos(findings: Findings) -> str:
    model = findings.model
    used = [
        (str(number), photo.name, "used", str(len(photo.seen)), f"{reprojections(photo, model.points).mean():.2f}")
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


def _facts(values: Mapping[str, object]) -> str:
    words = {re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower(): value for name, value in values.items()}
    pairs = (f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in words.items())
    return f"<dl>{''.join(pairs)}</dl>"


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>"


def _packed(identifier: str, content: bytes) -> str:
    """Return gzipped `content` as text that the page's script unpacks. Base64 has no character that could end the element."""
    return f'<script type="text/plain" id="{identifier}">{base64.b64encode(content).decode()}</script>'
