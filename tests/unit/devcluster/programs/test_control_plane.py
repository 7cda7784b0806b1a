"""KUBEBUILDER_ASSETS decides which programs run."""

from pathlib import Path

import pytest

from devcluster.errors import MissingToolError
from devcluster.programs import control_plane
from devcluster.programs.control_plane import Programs


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).touch(mode=0o755)
    return folder


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(control_plane, "built", lambda: tmp_path / "built")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "built"


def test_our_own_build_is_the_default(built: Path) -> None:
    assert control_plane.programs() == Programs(
        etcd=built / "etcd",
        apiserver=built / "kube-apiserver",
        controller_manager=built / "kube-controller-manager",
        kubectl=built / "kubectl",
    )


def test_the_assets_go_first_and_lack_a_controller_manager(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = fill(tmp_path / "assets", "etcd", "kube-apiserver", "kubectl")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert control_plane.programs() == Programs(
        etcd=assets / "etcd",
        apiserver=assets / "kube-apiserver",
        controller_manager=built / "kube-controller-manager",
        kubectl=assets / "kubectl",
    )


def test_a_controller_manager_among_the_assets_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assets = fill(tmp_path / "assets", "etcd", "kube-apiserver", "kubectl", "kube-controller-manager")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert control_plane.programs().controller_manager == assets / "kube-controller-manager"


def test_assets_that_lack_a_program_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(fill(tmp_path / "assets", "kubectl")))
    with pytest.raises(MissingToolError, match=r"has no program etcd, kube-apiserver: unset it, or fill the folder"):
        control_plane.programs()
