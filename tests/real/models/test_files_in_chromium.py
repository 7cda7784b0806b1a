"""The engine's files in a real Chromium: Khronos' validator finds no error in its models."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from reconstruction_operator.models import drawing
from reconstruction_operator.models.photogrammetry.output import glb
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh

from devcluster.harness.chromium import running_chromium
from tests.support.geometry import RED, coloured_square, sphere
from tests.support.paths import DATA

VALIDATOR = DATA / "gltf-validator" / "gltf_validator.dart.js"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def validator(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.evaluate("window.exports = {}")
    page.add_script_tag(path=VALIDATOR)
    yield page
    page.close()


def issues(validator: Page, content: bytes) -> list[dict[str, Any]]:
    found = validator.evaluate(
        "text => exports.validateBytes(Uint8Array.from(atob(text), one => one.charCodeAt(0)), { format: 'glb' })",
        base64.b64encode(content).decode(),
    )
    messages: list[dict[str, Any]] = found["issues"]["messages"]
    return messages


def coloured(path: Path) -> None:
    mesh = sphere(2)
    flat = np.append(mesh.faces, [[0, 0, 0]], axis=0)  # simplification may leave such a face
    glb.write_coloured(path, Mesh(mesh.vertices, flat), np.tile(np.array(RED, np.float32), (len(mesh.vertices), 1)))


def textured(path: Path) -> None:
    glb.write_textured(path, coloured_square())


def simulated(path: Path) -> None:
    path.write_bytes(drawing.cube_glb())


@pytest.mark.parametrize("write", [coloured, textured, simulated])
def test_khronos_validator_finds_nothing_in_a_model(
    validator: Page, tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "model.glb")
    found = issues(validator, (tmp_path / "model.glb").read_bytes())
    assert [one for one in found if one["severity"] <= 1] == []  # errors and warnings


def test_khronos_validator_finds_a_damaged_model(validator: Page, tmp_path: Path) -> None:
    textured(tmp_path / "model.glb")
    damaged = (tmp_path / "model.glb").read_bytes().replace(b'"VEC2"', b'"VEC4"')
    assert [one["code"] for one in issues(validator, damaged)] != []
