"""A gallery beside the shared system, and users of several roles in the test's own namespace."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster.harness.gallery import Gallery, start_gallery
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from devcluster.servers.storage.s3 import S3
from tests.support.systems import wait_published

PROXY_SECRET = secrets.token_urlsafe(32)
SHARE_SECRET = secrets.token_urlsafe(32)
MakeUser = Callable[[str], str]

_ROLES = {
    "viewer": ["get", "list", "watch"],
    "canceller": ["get", "list", "watch", "update", "patch", "cancel"],
    "editor": ["get", "list", "watch", "create", "update", "patch", "delete"],
    "stranger": [],
}


@pytest.fixture
def uploads_dir(photos_root: Path) -> Path:
    """A folder that the system's workers may read photos from."""
    folder = photos_root / "uploads"
    folder.mkdir(exist_ok=True)
    return folder


class SharedGallery:
    """One gallery for all tests of a session that use the same system."""

    def __init__(self) -> None:
        self._system: System | None = None
        self._gallery: Gallery | None = None

    def beside(self, system: System, uploads_dir: Path, s3: S3) -> Gallery:
        """Return the gallery of that system: with uploads, small limits, a proxy's secret, and access to a bucket's
        server.
        """
        if self._gallery is None or self._system is not system or not self._gallery.process.alive:
            self.stop()
            wait_published(system, "placeholder")
            secret = system.folder / "proxy-secret"
            secret.write_text(PROXY_SECRET)
            (system.folder / "share-secret").write_text(SHARE_SECRET)
            self._gallery = start_gallery(
                system,
                GALLERY_ACCESS_SECONDS="0.3",
                GALLERY_PROXY_SECRET_FILE=str(secret),
                GALLERY_PROXY_GROUPS="team",
                GALLERY_SHARE_SECRET_FILE=str(system.folder / "share-secret"),
                GALLERY_UPLOADS_DIR=str(uploads_dir),
                GALLERY_HISTORY_DIR=str(uploads_dir / ".history"),
                GALLERY_PHOTO_MAX_BYTES="400000",
                GALLERY_UPLOAD_MAX_FILES="12",
                GALLERY_UPLOAD_MAX_BYTES="1500000",
                GALLERY_USER_MAX_BYTES="2000000",
                GALLERY_UPLOAD_FREE_BYTES="1000",
                STORAGE_SCHEMES="s3",
                NAMESPACE_OUTPUTS="*=s3://meshes/{namespace}",
                **s3.environment(),
            )
            self._system = system
            system.processes.pop("gallery")  # a shared system stops what a test has added
        return self._gallery

    def stop(self) -> None:
        """Stop the gallery, if one runs."""
        if self._gallery is not None:
            self._gallery.process.stop()
            self._gallery = None


@pytest.fixture(scope="session")
def shared_gallery() -> Iterator[SharedGallery]:
    shared = SharedGallery()
    yield shared
    shared.stop()


@pytest.fixture
def gallery(shared_gallery: SharedGallery, system: System, uploads_dir: Path, s3: S3) -> Gallery:
    """A gallery with uploads, small limits, a proxy's secret, and access to the bucket `meshes`."""
    return shared_gallery.beside(system, uploads_dir, s3)


@pytest.fixture
def make_user(jobs: Jobs) -> MakeUser:
    """Create a service account with a role in the test's namespace, and return its token."""

    def make(role: str) -> str:
        cluster, namespace, name = jobs.system.cluster, jobs.namespace, f"{role}-{secrets.token_hex(3)}"
        cluster.api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
        rule = {"apiGroups": ["reconstruction.dev"], "resources": ["reconstructionjobs"], "verbs": _ROLES[role]}
        grant(jobs, name, [rule] if _ROLES[role] else [], namespace, name)
        return cluster.service_account_token(namespace, name)

    return make


def grant(jobs: Jobs, account: str, rules: list[dict[str, Any]], namespace: str, name: str) -> None:
    """Give a service account of the test's namespace a role with these rules in `namespace`.

    `name`: of role and binding.
    """
    api, rbac = jobs.system.cluster.api, f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api.post(f"{rbac}/roles", {"metadata": {"name": name}, "rules": rules})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": jobs.namespace}],
    }
    api.post(f"{rbac}/rolebindings", binding)


def revoke_all(jobs: Jobs) -> None:
    """Delete all role bindings of the test's namespace."""
    api, rbac = jobs.system.cluster.api, f"/apis/rbac.authorization.k8s.io/v1/namespaces/{jobs.namespace}/rolebindings"
    for binding in api.get(rbac)["items"]:
        api.delete(f"{rbac}/{binding['metadata']['name']}")
