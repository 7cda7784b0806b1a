"""Extras: operator and worker import with the packages of their own lock file alone; all others are blocked."""

import json
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import canonicalize_name

from scripts.checks import lockfiles
from tests.support.paths import CHECKOUT

PACKAGE = "reconstruction_operator"
# Imports every module of the given packages while the given top-level names cannot be imported.
PROGRAM = """
import importlib, json, pkgutil, sys

blocked = set(json.loads(sys.argv[1]))

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not a part of this side", name=name)

sys.meta_path.insert(0, Blocker())
seen = []
for root in sys.argv[2:]:
    module = importlib.import_module(root)
    seen.append(root)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), root + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
            seen.append(found.name)
print(len(seen))
"""


def modules_beyond(allowed: set[str]) -> list[str]:
    """Top-level modules of all installed distributions except the allowed ones and the project."""
    allowed = allowed | {"reconstruction-operator", "reconstruction-gallery"}
    return sorted(
        module
        for module, distributions in packages_distributions().items()
        if not {canonicalize_name(each) for each in distributions} & allowed
    )


def imported(blocked: list[str], *roots: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(blocked), *roots],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT / "tests",
    )


@pytest.mark.parametrize(
    ("lock", "missing", "roots"),
    [
        pytest.param(
            "gallery.txt",
            {"celery", "kombu", "redis", "kopf", "pytest"},
            ["reconstruction_gallery"],
            id="gallery",
        ),
        pytest.param(
            "operator.txt",
            {"pycolmap", "cv2", "numpy", "PIL", "trimesh", "pytest"},
            [f"{PACKAGE}.{name}" for name in ("cli", "controller", "kube", "services", "planning", "telemetry", "api")],
            id="operator",
        ),
        pytest.param(
            "worker.txt",
            {"kopf", "kubernetes", "aiohttp", "yaml", "pytest"},
            [f"{PACKAGE}.{name}" for name in ("celery_app", "tasks", "services", "models", "telemetry")],
            id="worker",
        ),
    ],
)
def test_every_module_imports_with_the_packages_of_its_image(lock: str, missing: set[str], roots: list[str]) -> None:
    blocked = modules_beyond(lockfiles.names(CHECKOUT / "requirements" / lock))
    assert missing <= set(blocked)
    done = imported(blocked, *roots)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > len(roots)


def test_the_plugin_imports_without_the_packages_of_operator_and_workers() -> None:
    done = imported(["celery", "kombu", "redis", "kopf", "aiohttp", "cv2", "psutil"], "kubectl_recon")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_worker_without_the_photogrammetry_extra_lacks_only_that_model() -> None:
    blocked = ["pycolmap", "cv2", "numpy", "scipy", "trimesh", "embreex", "fast_simplification"]
    roots = [
        f"reconstruction_operator.{name}"
        for name in ("celery_app", "tasks", "services", "models.interface", "models.placeholder", "models.reconviagen")
    ]
    done = imported(blocked, *roots)
    assert (done.returncode, done.stderr) == (0, "")
