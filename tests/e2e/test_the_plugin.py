"""Plugin of kubectl on real pods: port-forward to the gallery, and logs of operator and workers."""

import json
from pathlib import Path
from typing import Any

import pytest

from devcluster import wait_until
from devcluster.node import Node
from tests.support.paths import CHECKOUT
from tests.support.plugin import Program, get

ACCOUNT = "me"  # the gallery gets its token
GALLERY = "reconstruction-gallery"
PHOTOS = sorted((CHECKOUT / "examples/photos/banana").glob("*.jpg"))[:3]

pytestmark = pytest.mark.timeout(900)


def test_the_gallery_is_added_to_a_release_by_its_values(node: Node, release: Any) -> None:
    node.kubectl("create", "serviceaccount", ACCOUNT)
    role = ("--clusterrole=reconstruction-editor", f"--serviceaccount=default:{ACCOUNT}")
    node.kubectl("create", "rolebinding", ACCOUNT, *role)
    volumes = [
        {"name": "examples", "mountPath": "/photos/examples", "existingClaim": "photos"},
        {"name": "uploads", "mountPath": "/photos/uploads", "existingClaim": "uploads"},
    ]
    release.upgrade(
        *("--set", "gallery.enabled=true,gallery.uploads.photosVolume=uploads"),
        *("--set-json", f"photos={json.dumps(volumes)}"),
    )
    release.wait_workers()
    (pod,) = [pod for name, pod in release.pods().items() if name.startswith(GALLERY)]
    assert pod["status"]["phase"] == "Running"
    read = ("get", "configmap", "--selector=reconstruction.dev/info=true", "--namespace=kube-public", "--output=yaml")
    wait_until(lambda: "service/" in node.kubectl(*read).stdout, "the new operator to lead and to publish the gallery")


def test_photos_are_submitted_through_a_port_forward_to_the_gallery(recon: Program, tmp_path: Path) -> None:
    folder = tmp_path / "three"
    folder.mkdir()
    for photo in PHOTOS:
        (folder / photo.name).write_bytes(photo.read_bytes())
    done = recon("submit", folder, "--model", "placeholder", "--account", ACCOUNT, timeout_seconds=180)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("three: Succeeded")


def test_the_log_of_one_job_comes_from_the_pods_of_operator_and_worker(recon: Program, release: Any) -> None:
    done = recon("logs", "three", "-o", "wide")
    assert done.returncode == 0, done.stderr
    pods = {line.split()[2] for line in done.stdout.splitlines()}
    assert {release.pods()[pod]["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods} == {
        "operator",
        "worker-cpu",
    }
    assert "default/banana" not in done.stdout


def test_open_signs_the_browser_in_through_a_port_forward(recon: Program) -> None:
    with recon.opened("banana", "--account", ACCOUNT) as address:
        answer = get(address)
        assert answer.status == 302
        gallery, _, page = answer.headers["Location"].partition("/jobs/")
        assert page == "default/banana"
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        session = json.loads(get(f"{gallery}/api/session", Cookie=cookie).content)
        assert session["user"] == f"system:serviceaccount:default:{ACCOUNT}"
        mesh = get(f"{gallery}/api/namespaces/default/jobs/banana/files/model.glb", Cookie=cookie)
        assert (mesh.status, mesh.content[:4]) == (200, b"glTF")


def test_doctor_finds_no_problems(recon: Program) -> None:
    done = recon("doctor")
    assert (done.returncode, [line for line in done.stdout.splitlines() if not line.startswith("ok ")]) == (0, [])
