"""Programs of the control plane: those of a KUBEBUILDER_ASSETS folder where that is set, else our own build."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import MissingToolError
from devcluster.programs.building import built

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
_NEEDED = ("etcd", "kube-apiserver", "kubectl")  # what such a folder holds by convention


@dataclass(frozen=True)
class Programs:
    """Paths of the four programs."""

    etcd: Path
    apiserver: Path
    controller_manager: Path
    kubectl: Path


def programs() -> Programs:
    """Return the programs to use; builds them where needed, which takes minutes the first time."""
    assets = os.environ.get(ASSETS_VARIABLE)
    return _in_assets(Path(assets)) if assets else _in_folder(built())


def _in_folder(folder: Path) -> Programs:
    return Programs(
        etcd=folder / "etcd",
        apiserver=folder / "kube-apiserver",
        controller_manager=folder / "kube-controller-manager",
        kubectl=folder / "kubectl",
    )


def _in_assets(folder: Path) -> Programs:
    missing = [name for name in _NEEDED if not os.access(folder / name, os.X_OK)]
    if missing:
        raise MissingToolError(
            f"{ASSETS_VARIABLE} is {folder}, which has no program {', '.join(missing)}: "
            f"unset it, or fill the folder with `setup-envtest use`"
        )
    # By its own name: a program that acts by the name it is called with may lie behind a link.
    found = _in_folder(folder.absolute())
    if not os.access(found.controller_manager, os.X_OK):
        return Programs(
            etcd=found.etcd,
            apiserver=found.apiserver,
            controller_manager=built() / "kube-controller-manager",
            kubectl=found.kubectl,
        )
    return found
