"""Result page in a real Chromium: the model is shown, and no script reaches the network or other files."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from kubectl_recon.pages.result import pages_of
from kubectl_recon.pages.serving import served
from playwright.sync_api import Browser, expect
from reconstruction_operator.models.photogrammetry.output import glb

from tests.support.browser import barriers, watched
from tests.support.engine.geometry import coloured_square
from tests.support.photos import make_photo

HOSTILE = "a\"'><img src=x onerror=alert(1)>.txt"
_LOADED_MS = 90_000


def test_the_mesh_of_a_result_without_a_report_is_shown(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "model #1.glb").write_bytes(glb.textured(coloured_square()))
    (tmp_path / "preview_0.png").write_bytes(make_photo("PNG"))
    (tmp_path / HOSTILE).touch()
    page = browser.new_page(viewport={"width": 600, "height": 900})

    with served(pages_of(tmp_path, "a <b>vase</b>")) as address:
        wrong = watched(page, address, "blob:", "data:")
        page.goto(address)
        viewer = page.locator("model-viewer")
        expect(viewer).to_have_js_property("loaded", True, timeout=_LOADED_MS)
        expect(viewer).to_have_attribute("src", "model%20%231.glb")
        expect(viewer).to_have_attribute("camera-controls", "")
        wrong += barriers(page)
        page.close()
    assert wrong == []


def test_a_report_runs_but_reads_no_file_and_leads_to_no_other_host(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    page = browser.new_page()

    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        script = f"document.title = 'ran'; fetch('secret.txt').catch(() => (location.href = '{url}'))"
        (tmp_path / "report.html").write_text(f"<script>{script}</script>")
        with served(pages_of(tmp_path, "vase")) as address:
            wrong = watched(page, address)
            with page.expect_console_message(lambda message: "frame-src" in message.text, timeout=_LOADED_MS):
                page.goto(address, timeout=_LOADED_MS)
        page.close()
        elsewhere.setblocking(False)
        with suppress(BlockingIOError):  # a browser may connect before it decides, without a request
            connection, _ = elsewhere.accept()
            with connection:
                assert connection.recv(100) == b""

    assert any("connect-src" in error for error in wrong), wrong
