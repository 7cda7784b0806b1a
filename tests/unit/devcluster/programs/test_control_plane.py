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


def in_folder(folder: Path, controller_manager: Path) -> Programs:
    manager = controller_manager / "kube-controller-manager"
    return Programs(folder / "etcd", folder / "kube-apiserver", manager, folder / "kubectl")


def test_our_own_build_is_the_default(built: Path) -> None:
    assert control_plane.programs() == in_folder(built, built)


@pytest.mark.parametrize("manager", [(), ("kube-controller-manager",)], ids=["without a manager", "with a manager"])
def test_the_assets_go_first_and_may_lack_a_controller_manager(
    manager: tuple[str, ...], tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = fill(tmp_path / "assets", "etcd", "kube-apiserver", "kubectl", *manager)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert control_plane.programs() == in_folder(assets, assets if manager else built)


def test_assets_that_lack_a_program_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(fill(tmp_path / "assets", "kubectl")))
    with pytest.raises(MissingToolError, match=r"has no program etcd, kube-apiserver: unset it, or fill the folder"):
        control_plane.programs()
