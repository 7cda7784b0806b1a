"""Fixtures of the end-to-end tests (`make e2e`): images, node, chart. docs/releasing.md lists what they need.

They are not a part of `make test`: they need root on a Debian machine, and minutes. The steps build on one another, so
the first failure ends the run. At its end the durations of the steps and other measurements are printed.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.node import Node, images
from devcluster.node.packages import NODE_NEEDS, ensure
from devcluster.programs import building
from devcluster.programs.helm import helm
from tests.support.paths import CHECKOUT
from tests.support.plugin import Program

HERE = Path(__file__).parent
CHART = CHECKOUT / "charts/reconstruction-operator"
EXAMPLES = CHECKOUT / "manifests/examples"
_DURATIONS: list[tuple[str, float]] = []


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs before the first test: that takes minutes, once, and a test's time limit is shorter."""
    if session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # so that the progress is visible
        for what, step in {
            "Debian's packages": lambda: ensure(NODE_NEEDS),
            "the control plane": building.built,
            "the node's programs": lambda: building.built(building.NODE),
            "the base image": images.base_image,
        }.items():
            started = time.monotonic()
            step()
            _DURATIONS.append((f"({what})", time.monotonic() - started))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        _DURATIONS.append((report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " "), report.duration))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("duration of each step")
    for what, seconds in _DURATIONS:
        terminalreporter.write_line(f"{seconds:7.1f} s  {what}")
    terminalreporter.write_line(f"{sum(seconds for what, seconds in _DURATIONS if what[0] != '('):7.1f} s  in all")


@pytest.fixture(scope="session")
def measured() -> Callable[[str, float], None]:
    """Record a number of seconds, which is printed at the end and not asserted."""
    return lambda what, seconds: _DURATIONS.append((f"({what})", seconds))


@pytest.fixture(scope="session")
def built(measured: Callable[[str, float], None]) -> dict[str, str]:
    """The tags of the images by target, built from the checkout."""
    tags = {}
    for tag, package in images.PACKAGES.items():
        started = time.monotonic()
        images.package_image(tag)
        measured(f"image of {package}", time.monotonic() - started)
    for target, tag in images.TARGETS.items():
        started = time.monotonic()
        tags[target] = images.build_image(tag, target=target)
        measured(f"image {target}", time.monotonic() - started)
    return tags


@pytest.fixture(scope="session")
def node(built: dict[str, str], measured: Callable[[str, float], None]) -> Iterator[Node]:
    """A node with the images."""
    with Node() as running:
        started = time.monotonic()
        running.load(*(built[target] for target in ("operator", "worker", "gallery")), *images.PACKAGES)
        measured("loading five images into the node", time.monotonic() - started)
        yield running


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the node's volumes on this machine, writable for any user of a pod."""
    folder = tmp_path_factory.mktemp("volumes")
    for name in ("jobs", "redis", "uploads"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    return folder


@pytest.fixture(scope="session")
def volumes(node: Node, disk: Path) -> Path:
    """The folder of the volumes, once the release's namespace has them. It enforces the restricted standard."""
    node.kubectl("create", "namespace", "reconstruction-system")
    node.kubectl("label", "namespace", "reconstruction-system", "pod-security.kubernetes.io/enforce=restricted")
    text = (HERE / "volumes.yaml").read_text()
    for word, folder in {"FOLDER": disk, "PHOTOS": CHECKOUT / "examples/photos"}.items():
        text = text.replace(word, str(folder))
    node.kubectl("apply", "-f", "-", input=text)
    return disk


@dataclass(frozen=True)
class Release:
    """The release `reconstruction` on the node, and its jobs, which are in the namespace `default`."""

    node: Node
    name: str = "reconstruction"
    namespace: str = "reconstruction-system"

    def helm(self, *arguments: str | Path) -> str:
        """Run helm, and return its output."""
        return helm(*arguments, kubeconfig=self.node.kubeconfig, timeout_seconds=600).stdout

    def upgrade(self, *options: str, chart: Path = CHART) -> str:
        """Run `helm upgrade --install --wait` with the values of this folder."""
        values = ["--values", HERE / "values.yaml", *options]
        return self.helm("upgrade", "--install", self.name, chart, *self.here, *values, "--wait", "--timeout=5m")

    def wait_workers(self) -> None:
        """Wait until all pods of the workers are of the current version."""
        rollout = ("rollout", "status", "deployment/reconstruction-worker-cpu", "--timeout=300s")
        self.node.kubectl("-n", self.namespace, *rollout, timeout_seconds=360)

    @property
    def here(self) -> list[str]:
        """Helm's options for the release's namespace."""
        return ["--namespace", self.namespace]

    def get(self, what: str, *options: str) -> Any:
        """Return objects from kubectl."""
        return json.loads(self.node.kubectl("get", what, *options, "-o", "json").stdout)

    def job(self, name: str) -> dict[str, Any]:
        """Return a job."""
        return self.get(f"recon/{name}")

    def apply(self, example: str, name: str) -> None:
        """Apply one of the shipped examples under a new name."""
        text = (EXAMPLES / f"{example}.yaml").read_text()
        self.node.kubectl("apply", "-f", "-", input=text.replace(f"  name: {example}\n", f"  name: {name}\n"))

    def running(self, name: str) -> dict[str, Any]:
        """Apply a placeholder job, wait until it runs, and return its status."""
        self.apply("placeholder", name)
        return self.until(name, lambda status: status.get("phase") == "Running", "running")

    def until(self, name: str, holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until `holds` accepts a job's status, and return the status."""
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            seen[:] = [self.job(name).get("status", {})]
            return holds(seen[0])

        wait_until(look, f"{name}: {what}", timeout_seconds=180, seen=lambda: json.dumps(seen, indent=1))
        return seen[0]

    def finished(self, name: str) -> dict[str, Any]:
        """Wait by kubectl until a job has finished, and return its status."""
        self.node.kubectl("wait", "--for=condition=Finished", f"recon/{name}", "--timeout=300s", timeout_seconds=360)
        return self.job(name)["status"]

    def pods(self) -> dict[str, dict[str, Any]]:
        """Return the pods of the release by name."""
        return {pod["metadata"]["name"]: pod for pod in self.get("pods", "-n", self.namespace)["items"]}

    def restarts(self) -> int:
        """Return how often the containers of the present pods were restarted."""
        containers = (each for pod in self.pods().values() for each in pod["status"]["containerStatuses"])
        return sum(container["restartCount"] for container in containers)


@pytest.fixture(scope="session")
def release(node: Node) -> Release:
    return Release(node)


@pytest.fixture
def recon(node: Node) -> Program:
    """The plugin with the node's kubectl, in the namespace of the jobs."""
    path = f"{node.kubectl_program.parent}:{os.environ['PATH']}"
    # Named by the user, as is necessary without a terminal
    return Program(
        node.kubeconfig, "default", {"PATH": path, "RECON_GALLERY": "reconstruction-system/reconstruction-gallery"}
    )
