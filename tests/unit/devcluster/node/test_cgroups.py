"""Cgroups of a node: which it needs, and their removal."""

from pathlib import Path

import pytest

from devcluster.errors import MissingToolError
from devcluster.node import cgroups


def controllers(root: Path) -> Path:
    for name in cgroups.CONTROLLERS:
        (root / name).mkdir()
    return root


def test_machines_with_all_controllers_of_version_1_can_have_a_node(tmp_path: Path) -> None:
    cgroups.check(controllers(tmp_path))
    (tmp_path / "memory").rmdir()
    with pytest.raises(MissingToolError, match="controllers memory, which"):
        cgroups.check(tmp_path)


def test_cgroups_of_version_2_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    with pytest.raises(MissingToolError, match="version 2"):
        cgroups.check(tmp_path)


def test_only_the_nodes_cgroups_are_removed(tmp_path: Path) -> None:
    root = controllers(tmp_path)
    (root / "cpu/recon-node7/kubepods/pod1/container").mkdir(parents=True)
    (root / "memory/recon-node7").mkdir()
    (root / "memory/recon-node71/kubepods").mkdir(parents=True)
    cgroups.remove("recon-node7", root)
    assert sorted(str(path.relative_to(root)) for path in root.glob("*/*")) == ["memory/recon-node71"]
