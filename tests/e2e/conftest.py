"""The whole way on a real node: images, node, chart. `make e2e`; docs/e2e.md says what it needs.

Not a part of `make test`: it wants root on a Debian machine, and minutes. The steps build on one another, so the first
failure ends the run. How long each took, and what was measured on the way, is printed at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devcluster.node import Node, images
from devcluster.node.packages import NODE_NEEDS, ensure
from devcluster.programs import programs

_DURATIONS: list[tuple[str, float]] = []


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the programs before the first test: minutes, once, and a test's time limit is shorter."""
    if session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():  # so that one sees the progress
        for what, step in {
            "Debian's packages": lambda: ensure(NODE_NEEDS),
            "the control plane": programs,
            "the node's programs": Node.build,
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
    steps = [("base image", images.base_image), ("image of a Redis", images.redis_image)]
    for what, build in steps:
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
        running.load(built["operator"], built["worker"], images.REDIS_IMAGE)
        measured("loading three images into the node", time.monotonic() - started)
        yield running


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the node's volumes lie: a folder of this machine that any user inside may write to."""
    folder = tmp_path_factory.mktemp("volumes")
    for name in ("jobs", "redis"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    return folder
