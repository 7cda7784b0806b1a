"""The page of a result without a report, in a real Chromium: its model is shown, and it reaches nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from kubectl_recon.pages.result import pages_of
from kubectl_recon.pages.serving import served
from playwright.sync_api import Browser, expect
from reconstruction_operator.models import drawing

from devcluster.harness.chromium import running_chromium
from tests.support.photos import make_photo

HOSTILE = "a\"'><img src=x onerror=alert(1)>.txt"
_LOADED_MS = 90_000


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def test_the_model_of_a_result_without_a_report_is_shown(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "model #1.glb").write_bytes(drawing.cube_glb())
    (tmp_path / "preview_0.png").write_bytes(make_photo("PNG"))
    (tmp_path / HOSTILE).touch()
    page = browser.new_page(viewport={"width": 600, "height": 900})
    wrong: list[str] = []
    page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda one: wrong.append(one.message))

    with served(pages_of(tmp_path, "a <b>vase</b>")) as address:
        page.on(
            "request", lambda one: None if one.url.startswith((address, "blob:", "data:")) else wrong.append(one.url)
        )
        page.goto(address)
        viewer = page.locator("model-viewer")
        expect(viewer).to_have_js_property("loaded", True, timeout=_LOADED_MS)
        expect(viewer).to_have_attribute("src", "model%20%231.glb")
        expect(viewer).to_have_attribute("camera-controls", "")
        violations = Axe().run(page).response["violations"]
        page.close()
    assert wrong == []
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations] == []


def test_what_a_model_wrote_runs_and_reaches_nothing(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<script>document.title = 'ran'; fetch('secret.txt')</script>")
    (tmp_path / "secret.txt").write_text("secret")
    page = browser.new_page()
    wrong: list[str] = []
    page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else None)

    with served(pages_of(tmp_path, "vase")) as address:
        page.goto(address, timeout=_LOADED_MS)
        assert page.title() == "ran"
        page.close()

    assert any("connect-src" in one for one in wrong), wrong
