"""The built site in a real Chromium: no request to another host, no error, a working search, no critical finding of
axe.
"""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from devcluster.servers.running import answering
from tests.support.browser import barriers, watched
from tests.support.paths import CHECKOUT

pytestmark = pytest.mark.release  # needs the packages of the site, and ten seconds of CPU time


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the site without logging requests."""

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


@pytest.mark.parametrize("path", ["index.html", "kubectl-recon.html", "parameters.html", "runbooks/README.html"])
def test_a_page_uses_no_other_host_and_has_no_critical_barrier(browser: Browser, site: str, path: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
    wrong = watched(page, site, "data:")
    page.goto(site + path)
    wrong += barriers(page, "critical")
    page.close()
    assert wrong == []


def test_the_search_finds_a_setting(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{site}search.html?q=NAMESPACE_MAX_RUNNING")
    expect(page.locator("#search-results li a").first).to_be_visible(timeout=60_000)
    assert "Settings" in page.locator("#search-results").inner_text()
    page.close()
