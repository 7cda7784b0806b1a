"""Uninstall of the release on a real node, after all other tests of it."""

from pathlib import Path
from typing import Any

from devcluster import wait_until
from devcluster.node import Node


def test_no_container_restarted(release: Any) -> None:
    assert release.restarts() == 0


def test_an_uninstall_keeps_jobs_and_results_and_leaves_nothing_stuck(node: Node, release: Any, disk: Path) -> None:
    release.helm("uninstall", release.name, *release.here, "--wait", "--timeout=5m")
    wait_until(lambda: not release.pods(), "the end of all pods", timeout_seconds=180, seen=release.pods)
    assert release.job("banana")["status"]["phase"] == "Succeeded"
    assert list((disk / "jobs").glob("*/output/**/*.glb"))
    node.kubectl("delete", "namespace", "monitoring", "--timeout=120s")
