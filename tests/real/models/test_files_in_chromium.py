"""The engine's files in a real Chromium: Khronos' validator finds no error in its models, and its report is a whole
page.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from reconstruction_operator.models.interface import Result
from reconstruction_operator.models.photogrammetry.advice import files
from reconstruction_operator.models.photogrammetry.advice.files import Advice
from reconstruction_operator.models.photogrammetry.advice.standpoints import Standpoint
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.output import glb
from reconstruction_operator.models.photogrammetry.output.report import page as report
from reconstruction_operator.models.photogrammetry.output.results import Model
from reconstruction_operator.models.photogrammetry.sparse.cameras import looking_at
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, LeftOut, SparseModel, Why
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

from tests.support.browser import barriers, watched
from tests.support.engine.geometry import RED, coloured_square, photo_of, sphere
from tests.support.paths import CHECKOUT, DATA

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'.jpg"
LINES = (
    "cell => { const text = document.createRange(); text.selectNodeContents(cell); return "
    "text.getClientRects().length; }"
)
SECONDS = 1000  # milliseconds, which Playwright counts in
VALIDATOR = DATA / "gltf-validator" / "gltf_validator.dart.js"


@pytest.fixture(scope="module")
def validator(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.evaluate("window.exports = {}")
    page.add_script_tag(path=VALIDATOR)
    yield page
    page.close()


def issues(validator: Page, content: bytes) -> list[dict[str, Any]]:
    report_of = validator.evaluate(
        "text => exports.validateBytes(Uint8Array.from(atob(text), one => one.charCodeAt(0)), { format: 'glb' })",
        base64.b64encode(content).decode(),
    )
    messages: list[dict[str, Any]] = report_of["issues"]["messages"]
    return messages


def coloured() -> bytes:
    vertices = np.append(sphere(2).vertices, [[0.0, 0.0, 0.0]], axis=0)  # simplification may leave such a vertex
    last = len(vertices) - 1
    faces = np.append(sphere(2).faces, [[last, last, last]], axis=0)  # its face has no normal
    return glb.coloured(Mesh(vertices, faces), np.tile(np.array(RED, np.float32), (len(vertices), 1)))


def textured() -> bytes:
    return glb.textured(coloured_square())


def compressed() -> bytes:
    return glb.compressed(coloured_square())


def simulated() -> bytes:
    return (CHECKOUT / "operator/reconstruction_operator/models/simulated/model.glb").read_bytes()


@pytest.mark.parametrize("model", [coloured, textured, compressed, simulated])
def test_khronos_validator_finds_nothing_in_a_model(validator: Page, model: Callable[[], bytes]) -> None:
    assert [issue for issue in issues(validator, model()) if issue["severity"] <= 1] == []  # errors and warnings


def advised(photo: AlignedPhoto) -> Advice:
    """Return the advice to take a photo to the left of that one."""
    camera = looking_at(np.array([1.5, 0.5, 1.5]), np.zeros(3), np.array([0.0, 1.0, 0.0]), focal=500.0, size=400)
    place = Standpoint(camera, np.zeros(3), 1, -45.0, np.array([-1.5, 0.0, 0.5]), 0.0, 0.0123)
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (20, 90, 20)).save(picture, "JPEG")
    return Advice(place, photo.name, files.sentence(place, photo.name, None), picture.getvalue())


def write_report(path: Path) -> None:
    """Write the report of a square and four cameras, one of them straight above.

    The names of the photos try to break out of the page.
    """
    photos = []
    eyes = ((0.0, 0.5, 2.0), (2.0, 0.5, 0.0), (-1.5, 0.8, -1.5), (0.0, 2.0, 0.01))
    for number, eye in enumerate(eyes):
        camera = looking_at(np.array(eye), np.zeros(3), np.array([0.0, 1.0, 0.0]), focal=500.0, size=400)
        pixels, _ = camera.project(coloured_square().mesh.vertices)
        photos.append(photo_of(camera, f"{number}{HOSTILE}", np.arange(4), pixels + 0.3))
    left_out = (LeftOut(f"9{HOSTILE}", Why.NO_MATCHES),)
    square = coloured_square()
    model = Model(
        mesh=square.mesh,
        colours=np.zeros((4, 3), np.float32),
        seen_by=np.array([0, 1, 2, 9]),
        textured=square,
        cloud=Cloud(np.zeros((0, 3)), np.zeros((0, 3))),
        sparse=SparseModel(tuple(photos), square.mesh.vertices, 0.42, left_out),
        subject=square.mesh.vertices,
        inside=False,
    )
    report.write(
        path,
        model,
        Result(
            quality={"images": 5, "registered": 4, "faces": 2, "advice": "1 more photo"},
            warning=f"1 of 5 photos was left out {HOSTILE}",
        ),
        advice=[advised(photos[1])],
        poster=np.full((64, 64, 3), 200, np.uint8),
        parameters={"quality": "fast", "crop": True, "faces": 80_000},
        seconds={"Reconstruct": 83.2},
    )


def test_a_report_shows_the_model_and_runs_no_name_of_a_photo(browser: Browser, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 600, "height": 500})
    wrong = watched(page, "file:", "blob:", "data:")
    page.goto((tmp_path / "report.html").as_uri())
    expect(page.locator("model-viewer")).to_have_js_property("loaded", True, timeout=90 * SECONDS)
    expect(page.get_by_role("row")).to_have_count(6 + 1 + 5)  # coverage, and the photos with their heads
    expect(page.get_by_role("cell", name=f"9{HOSTILE}", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="left out: overlaps with no other photo")).to_be_visible()
    expect(page.get_by_text("80000")).to_have_count(0)  # the limit, not the number
    expect(page.get_by_role("img", name="4 cameras around the model, from above")).to_be_visible()
    sentence = (
        f"A From where you took 1{HOSTILE}, go 45° to the left around the object, and look at its middle. It would "
    )
    expect(page.get_by_role("figure")).to_contain_text(f"{sentence}show 1.2% of the surface better.")
    expect(page.get_by_text("A: a photo from here would help")).to_have_count(1)
    expect(page.get_by_text("1 more photo")).to_have_count(0)  # it has its own section
    blocked = barriers(page)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 800})  # a phone
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    word = page.get_by_role("cell", name="used", exact=True).first
    assert word.evaluate(LINES) == 1
    blocked += barriers(page)
    page.close()
    assert blocked == []
    assert wrong == []
