"""The built site in a real Chromium: no request to another host, no error, a search, nothing serious that axe finds."""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from devcluster.harness.chromium import running_chromium
from devcluster.servers.running import answering
from tests.support.paths import CHECKOUT

pytestmark = pytest.mark.release  # the packages of the site, and ten seconds of processor time


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the site without a line for each request."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "scripts.site", "--output", folder], cwd=CHECKOUT, check=True)
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.mark.parametrize("path", ["index.html", "kubectl-recon.html", "parameters.html", "runbooks/README.html"])
def test_a_page_needs_no_other_host_and_has_no_serious_barrier(browser: Browser, site: str, path: str) -> None:
    wrong: list[str] = []
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.on("console", lambda one: wrong.append(one.text) if one.type == "error" else None)
    page.on("request", lambda one: wrong.append(one.url) if not one.url.startswith((site, "data:")) else None)
    page.goto(site + path)
    found = Axe().run(page).response["violations"]
    wrong += [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] == "critical"]
    page.close()
    assert wrong == []


def test_the_search_finds_a_setting(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{site}search.html?q=NAMESPACE_MAX_RUNNING")
    expect(page.locator("#search-results li a").first).to_be_visible(timeout=60_000)
    assert "Settings" in page.locator("#search-results").inner_text()
    page.close()
