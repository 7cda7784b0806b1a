"""Debian packages that a node needs: which are missing."""

from pathlib import Path

from devcluster.node.packages import missing


def test_missing_package_is_named_once(tmp_path: Path) -> None:
    program = tmp_path / "here"
    program.touch(mode=0o755)
    needs = {
        "here": "there-already",
        "ctr": "containerd",
        "containerd": "containerd",
        str(tmp_path / "bridge"): "plugins",
        str(program): "a-file",
    }
    assert missing(needs, path=str(tmp_path)) == ["containerd", "plugins"]
