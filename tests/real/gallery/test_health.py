"""Health of the installation in the gallery: API and page name what `kubectl recon why` and `doctor` name, within
seconds.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, expect
from reconstruction_operator.contract.installation import PROBLEMS
from rich.console import Console

from demo.display import Display
from demo.kubectl import ShownKubectl
from demo.watching import Watching
from devcluster.harness.gallery import start_gallery
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from devcluster.waiting import wait_until
from tests.support.browser import barriers, watched
from tests.support.systems import SLOW, SharedSystems, wait_published

SEEN_SECONDS = 30.0
LIVE_MILLISECONDS = 60_000


class Fault(NamedTuple):
    """A fault, and the beginning of its sentence."""

    begin: Callable[[System], object]
    end: Callable[[System], object]
    sentence: str


FAULTS: Mapping[str, Fault] = {
    "operator-hangs": Fault(
        lambda system: system.processes["operator"].pause(),
        lambda system: system.processes["operator"].resume(),
        "The operator last reported ",
    ),
    "redis-is-down": Fault(
        lambda system: system.redis.kill(),
        lambda system: system.redis.start(),
        PROBLEMS["RedisUnreachable"].sentence,
    ),
}


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    return start_system(SLOW, fresh=True, PLACEHOLDER_STEP_SECONDS="8")


@pytest.mark.release
@pytest.mark.parametrize("name", FAULTS)
def test_page_api_and_demo_name_a_fault_of_the_installation_and_its_end(
    jobs: Jobs, browser: Browser, tmp_path: Path, name: str
) -> None:
    fault, system = FAULTS[name], jobs.system
    gallery = start_gallery(system)
    wait_published(system, "slow")
    jobs.create_in("Running", "one", queue="slow")
    admin, text = system.cluster.api.token, io.StringIO()
    page = browser.new_page(viewport={"width": 1200, "height": 700})
    wrong = watched(page, gallery.url, "blob:", "data:")
    page.goto(gallery.url)
    page.get_by_label("Kubernetes token").fill(admin)
    page.get_by_role("button", name="Sign in").click()
    bar = page.locator("#problems")
    live = page.locator("#live")
    expect(live).to_have_text("Live", timeout=LIVE_MILLISECONDS)
    expect(bar).to_be_empty()

    def sentences() -> list[str]:
        problems = gallery.request("GET", "/api/installation", token=admin).json["problems"]
        return [problem["sentence"] for problem in problems if problem["cure"]]

    display = Display(Console(file=text, width=200), lambda: 0.0)
    kubectl = ShownKubectl(
        system.cluster.kubectl_program,
        str(system.cluster.kubeconfig),
        jobs.namespace,
        folder=tmp_path,
        cache=tmp_path,
        show=display.command,
    )
    with Watching(kubectl, display.board, lambda: 0.0):
        fault.begin(system)
        wait_until(
            lambda: [sentence.startswith(fault.sentence) for sentence in sentences()] == [True],
            f"the gallery's API to name {name}",
            timeout_seconds=SEEN_SECONDS,
            seen=sentences,
        )
        expect(bar).to_contain_text(fault.sentence.rstrip(), timeout=LIVE_MILLISECONDS)
        expect(bar).to_contain_text("What to do: an administrator")
        expect(live).to_have_text("Problem")
        wait_until(lambda: fault.sentence in text.getvalue(), "the demo to name it", seen=text.getvalue)
        page.screenshot(path=tmp_path / f"{name}.png")
        page.set_viewport_size({"width": 390, "height": 700})
        page.screenshot(path=tmp_path / f"{name}-phone.png")
        assert barriers(page) == []
        fault.end(system)
        expect(bar).to_be_empty(timeout=LIVE_MILLISECONDS)
        expect(live).to_have_text("Live")
        wait_until(lambda: "The installation works again." in text.getvalue(), "the demo to see the end")
    page.close()
    assert wrong == []
