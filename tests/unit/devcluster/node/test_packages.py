"""Debian packages that a node needs."""

from pathlib import Path

from devcluster.node.packages import Need, missing


def test_missing_package_is_named_once(tmp_path: Path) -> None:
    program = tmp_path / "here"
    program.touch(mode=0o755)
    needs = (
        Need("here", "there-already"),
        Need("ctr", "containerd"),
        Need("containerd", "containerd"),
        Need(str(tmp_path / "bridge"), "plugins"),
        Need(str(program), "a-file"),
    )
    assert missing(needs, path=str(tmp_path)) == ["containerd", "plugins"]
