"""Fixtures of the end-to-end tests: images, node, chart. `make e2e`; docs/e2e.md says what it needs.

Not a part of `make test`: it wants root on a Debian machine, and minutes. The steps build on one another, so the first
failure ends the run. How long each took, and what was measured on the way, is printed at the end.
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
EXAMPLES = CHECKOUT / "manifests/examples"
_DURATIONS: list[tuple[str, float]] = []


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs before the first test: minutes, once, and a test's time limit is shorter."""
    if session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # so that one sees the progress
        for what, step in {
            "Debian's packages": lambda: ensure(NODE_NEEDS),
            "the control plane": building.built,
            "the node's programs": Node.build,
            "the base image": images.base_image,
        }.items():
            started = time.monotonic()
            step()
            _DURATIONS.append((f"({what})", time.monotonic() - started))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call":
        _DURATIONS.append((report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " "), report.duration))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("how long each step took")
    for what, seconds in _DURATIONS:
        terminalreporter.write_line(f"{seconds:7.1f} s  {what}")
    terminalreporter.write_line(f"{sum(seconds for what, seconds in _DURATIONS if what[0] != '('):7.1f} s  in all")


@pytest.fixture(scope="session")
def measured() -> Callable[[str, float], None]:
    """Print a number of seconds at the end; nothing is asserted of it."""
    return lambda what, seconds: _DURATIONS.append((f"({what})", seconds))


@pytest.fixture(scope="session")
def built(measured: Callable[[str, float], None]) -> dict[str, str]:
    """The images, by target, from the checkout as it is."""
    tags = {}
    steps = {
        "image of a Redis": images.redis_image,
        "image of a Prometheus": images.prometheus_image,
    }
    for what, build in steps.items():
        started = time.monotonic()
        build()
        measured(what, time.monotonic() - started)
    for target, tag in images.TARGETS.items():
        started = time.monotonic()
        tags[target] = images.build_image(tag, target=target)
        measured(f"image {target}", time.monotonic() - started)
    return tags


@pytest.fixture(scope="session")
def node(built: dict[str, str], measured: Callable[[str, float], None]) -> Iterator[Node]:
    """A node that has the images."""
    with Node() as running:
        started = time.monotonic()
        running.load(
            *(built[target] for target in ("operator", "worker", "gallery")),
            images.REDIS_IMAGE,
            images.PROMETHEUS_IMAGE,
        )
        measured("loading five images into the node", time.monotonic() - started)
        yield running


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the node's volumes lie: a folder of this machine that any user inside may write to."""
    folder = tmp_path_factory.mktemp("volumes")
    for name in ("jobs", "redis", "uploads"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    return folder


@pytest.fixture(scope="session")
def volumes(node: Node, disk: Path) -> Path:
    """The release's namespace, which enforces the restricted standard, and the volumes in it."""
    node.kubectl("create", "namespace", "reconstruction-system")
    node.kubectl("label", "namespace", "reconstruction-system", "pod-security.kubernetes.io/enforce=restricted")
    text = (HERE / "volumes.yaml").read_text()
    for word, folder in {"FOLDER": disk, "PHOTOS": CHECKOUT / "examples/photos"}.items():
        text = text.replace(word, str(folder))
    node.kubectl("apply", "-f", "-", input=text)
    return disk


@dataclass(frozen=True)
class Release:
    """The release `reconstruction` on the node, and the jobs that it works on, which are in the namespace `default`."""

    node: Node
    name: str = "reconstruction"
    namespace: str = "reconstruction-system"

    def helm(self, *arguments: str | Path) -> str:
        """Run helm as it is; returns what it printed."""
        return helm(*arguments, kubeconfig=self.node.kubeconfig, timeout_seconds=600).stdout

    def upgrade(self, chart: Path = CHECKOUT / "charts/reconstruction-operator", *options: str | Path) -> str:
        """`helm upgrade --install --wait`, with the values of this folder."""
        values = ["--values", HERE / "values.yaml", *options]
        return self.helm("upgrade", "--install", self.name, chart, *self.here, *values, "--wait", "--timeout=5m")

    @property
    def here(self) -> list[str]:
        """Helm's options that say where the release is."""
        return ["--namespace", self.namespace]

    def get(self, what: str, *options: str) -> Any:
        """Objects as kubectl has them."""
        return json.loads(self.node.kubectl("get", what, *options, "-o", "json").stdout)

    def job(self, name: str) -> dict[str, Any]:
        """One job."""
        return self.get(f"recon/{name}")

    def apply(self, example: str, name: str) -> None:
        """Apply one of the shipped examples, under a new name."""
        text = (EXAMPLES / f"{example}.yaml").read_text()
        self.node.kubectl("apply", "-f", "-", input=text.replace(f"  name: {example}\n", f"  name: {name}\n"))

    def running(self, name: str) -> dict[str, Any]:
        """Apply a placeholder job, and wait until it runs; returns its status."""
        self.apply("placeholder", name)
        return self.until(name, lambda status: status.get("phase") == "Running", "running")

    def until(self, name: str, holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until something is true of a job's status; returns it."""
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            seen[:] = [self.job(name).get("status", {})]
            return holds(seen[0])

        wait_until(look, f"{name}: {what}", timeout_seconds=180, seen=lambda: json.dumps(seen, indent=1))
        return seen[0]

    def finished(self, name: str) -> dict[str, Any]:
        """The status of a job once it has ended, as `kubectl wait` sees it."""
        self.node.kubectl("wait", "--for=condition=Finished", f"recon/{name}", "--timeout=300s", timeout_seconds=360)
        return self.job(name)["status"]

    def pods(self) -> dict[str, dict[str, Any]]:
        """The pods of the release, by name."""
        return {pod["metadata"]["name"]: pod for pod in self.get("pods", "-n", self.namespace)["items"]}

    def restarts(self) -> int:
        """How often a container was started again, of all that are there."""
        return sum(one["restartCount"] for pod in self.pods().values() for one in pod["status"]["containerStatuses"])


@pytest.fixture(scope="session")
def release(node: Node) -> Release:
    return Release(node)


@pytest.fixture
def recon(node: Node) -> Program:
    """The plugin with the node's own kubectl, in the namespace of the jobs."""
    path = f"{node.kubectl_program.parent}:{os.environ['PATH']}"
    return Program(node.kubeconfig, "default", {"PATH": path})
