"""The Headlamp plugin in a real Chromium, on a page of Headlamp's own components, which loads it as Headlamp does."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from devcluster.files import write_private
from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import OPERATOR_NAMESPACE
from devcluster.programs import npm_packages
from devcluster.servers.ports import free_ports
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser
from tests.support.browser import watched
from tests.support.paths import CHECKOUT

pytestmark = [pytest.mark.release, pytest.mark.timeout(1800)]  # the first run installs hundreds of packages

WAIT = 240_000  # milliseconds: the page has megabytes of scripts
SERVER = CHECKOUT / "dashboards/headlamp/host/serve.mjs"
REVIEWS = "performance.getEntriesByType('resource').filter(entry => /accessreview/.test(entry.name)).length"
LONG = {"stepSeconds": 600}
ROLES = ("editor", "canceller", "viewer")
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built plugin, and the page that hosts it."""
    folder = tmp_path_factory.mktemp("headlamp")
    subprocess.run([CHECKOUT / "scripts" / "headlamp", "page", folder], check=True)
    return folder


@pytest.fixture
def open_page(browser: Browser, page_folder: Path, jobs: Jobs, gallery: Gallery, make_user: MakeUser) -> Iterator[Open]:
    """Open a page of the plugin as a user with a role, each in a cluster of that name. No page may have an error."""
    system, (port,) = jobs.system, free_ports(1)
    options = {"folder": str(page_folder), "apiserver": system.cluster.url, "ca": str(system.cluster.ca), "port": port}
    options |= {"gallery": gallery.url, "clusters": {role: make_user(role) for role in ROLES}}
    write_private(file := system.folder / f"headlamp-{port}.json", json.dumps(options).encode())
    server = system.start_program(f"headlamp-{port}", [npm_packages.node(), SERVER, file])
    address, wrong, pages = f"http://127.0.0.1:{port}", [], []

    def opened(path: str, role: str = "editor", *, configured: bool = True) -> Page:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})  # with storage of its own
        pages.append(page)
        page.set_default_timeout(WAIT)
        wrong.append(watched(page, address, f"ws://127.0.0.1:{port}", "data:", console=False))
        settings = {"reconstruction-headlamp": {"gallery": address}} if configured else {}
        namespaces = {"allowedNamespaces": [jobs.namespace]}
        for name, value in {f"cluster_settings.{role}": namespaces, "pluginConfigs": settings}.items():
            page.add_init_script(f"localStorage.setItem({name!r}, {json.dumps(json.dumps(value))})")
        page.goto(f"{address}/c/{role}/reconstruction{path}")
        return page

    wait_until(lambda: "listening" in server.log_end(), "the page to be served", seen=server.log_end)
    expect.set_options(timeout=WAIT)
    yield opened
    expect.set_options(timeout=None)  # the default
    for page in pages:
        page.close()
    assert [line for of_page in wrong for line in of_page] == []


def test_a_running_job_is_cancelled_in_two_steps(open_page: Open, jobs: Jobs) -> None:
    name = jobs.create_in("Running", "statue", queue="slow", parameters=LONG)
    page = open_page("/jobs")
    page.get_by_role("row", name=re.compile("statue.*Running")).get_by_role("link", name=name).click()
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_label("Reason").fill("Wrong photos")
    page.get_by_role("button", name="Request cancel").click()
    expect(page.get_by_text("A cancel is requested: Wrong photos")).to_be_visible()
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("A cancel is requested")).to_have_count(0)
    assert "cancelReason" not in jobs.get(name)["spec"]
    for button in ("Cancel…", "Request cancel", "Confirm cancel…"):
        page.get_by_role("button", name=button).click()
    expect(page.get_by_text("All of it will be lost")).to_be_visible()
    page.get_by_role("button", name="Confirm cancel", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="Cancelled")).to_be_visible()
    assert jobs.get(name)["status"]["phase"] == "Cancelled"


def test_a_failed_job_says_why_and_runs_again(open_page: Open, jobs: Jobs) -> None:
    name = jobs.create_in("Failed", "broken", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    page = open_page(f"/jobs/{jobs.namespace}/{name}")
    expect(page.get_by_role("status").filter(has_text=jobs.get(name)["status"]["failure"]["message"])).to_be_visible()
    for button in ("Run again…", "Create"):
        page.get_by_role("button", name=button).click()
    expect(page).to_have_url(re.compile(f"/{jobs.namespace}/broken-2$"))
    assert jobs.get("broken-2")["metadata"]["annotations"] == {"reconstruction.dev/retry-of": name}
    page.get_by_role("button", name="Reconstruction").click()
    expect(page.get_by_role("row", name=re.compile("broken-2"))).to_contain_text("Failed")
    expect(page.get_by_role("row", name=re.compile("reconstruction-operator.*placeholder"))).to_contain_text("None")


def test_buttons_follow_the_users_rights_and_previews_the_setting(open_page: Open, jobs: Jobs) -> None:
    running = jobs.create_in("Running", queue="slow", parameters=LONG)
    done = jobs.create_in("Succeeded")
    for role, buttons in (("editor", ["Suspend", "Cancel…"]), ("canceller", ["Cancel…"]), ("viewer", [])):
        page = open_page(f"/jobs/{jobs.namespace}/{running}", role)
        for name in buttons:
            expect(page.get_by_role("button", name=name)).to_be_visible()
        page.wait_for_function(f"{REVIEWS} > 3")
        assert [name for name in ("Suspend", "Cancel…") if page.get_by_role("button", name=name).count()] == buttons
    unset = open_page(f"/jobs/{jobs.namespace}/{done}", configured=False)
    expect(unset.get_by_text("set the address of the gallery in Settings")).to_be_visible()
    page = open_page(f"/jobs/{jobs.namespace}/{done}")
    page.wait_for_function("document.querySelector('main img')?.naturalWidth > 0")
    expect(page.get_by_role("link", name="Turn the mesh")).to_have_attribute("href", re.compile(f"/{done}$"))


def test_the_icons_come_from_the_plugin_alone(open_page: Open, jobs: Jobs) -> None:
    name = jobs.create_in("Running", queue="slow", parameters=LONG)
    page = open_page(f"/jobs/{jobs.namespace}/{name}")
    for button in ("Suspend", "Cancel…"):
        expect(page.get_by_role("button", name=button).locator("svg path")).to_have_count(1)
    expect(page.get_by_role("button", name="Reconstruction").locator("svg path")).to_have_count(1)
    fetched = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name).join(' ')")
    assert not re.findall(r"[/?=,](?:cube-scan|pause|play|cancel|replay|reconstruction:[a-z]+)\b", fetched)


def test_a_viewer_sees_the_published_installation_on_the_overview(open_page: Open, jobs: Jobs) -> None:
    page = open_page("", "viewer")
    row = page.get_by_role("row", name=f"{OPERATOR_NAMESPACE}/reconstruction-operator")
    expect(row).to_contain_text("placeholder", timeout=WAIT)


def test_the_built_plugin_names_no_address_to_fetch_from(page_folder: Path) -> None:
    bundle = (page_folder / "main.js").read_text()
    assert set(re.findall(r"https?://[A-Za-z0-9-]+\.[a-z.]+", bundle)) == {"https://gallery.example.com"}
    assert "mdi:" not in bundle
