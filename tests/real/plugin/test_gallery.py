"""`submit`, `open` and `results` through the gallery, on the real system."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import wait_until
from devcluster.harness.gallery import Gallery, start_gallery
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import OPERATOR_NAMESPACE
from tests.real.gallery.test_access import know
from tests.support.photos import make_photo
from tests.support.plugin import Program, get
from tests.support.systems import wait_published

ACCOUNT = "viewer"


@pytest.fixture
def uploads(photos_root: Path) -> Path:
    """The folder where the gallery stores photos, and the workers read them."""
    folder = photos_root / "by-gallery"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def gallery(jobs: Jobs, uploads: Path) -> Iterator[Gallery]:
    """A gallery, and a service account that may see the jobs of the namespace."""
    kubectl = jobs.system.cluster.kubectl
    kubectl("-n", jobs.namespace, "create", "serviceaccount", ACCOUNT)
    role = ("--clusterrole=reconstruction-viewer", f"--serviceaccount={jobs.namespace}:{ACCOUNT}")
    kubectl("-n", jobs.namespace, "create", "rolebinding", ACCOUNT, *role)
    wait_published(jobs.system, OPERATOR_NAMESPACE)  # so that the account's tokens are for the gallery alone
    gallery = start_gallery(
        jobs.system,
        GALLERY_UPLOADS_DIR=str(uploads),
        GALLERY_HISTORY_DIR=str(uploads / ".history"),
        GALLERY_LOGS_DIR=str(jobs.system.folder),
    )
    jobs.system.processes.pop("gallery")  # a shared system stops what a test has added
    yield gallery
    gallery.process.stop()


def test_open_signs_the_browser_in_at_the_gallery(jobs: Jobs, recon: Program, gallery: Gallery) -> None:
    name = jobs.create_in("Succeeded")

    with recon.opened(name, "--gallery", gallery.url, "--account", ACCOUNT) as address:
        answer = get(address)

    assert (answer.status, answer.headers["Location"]) == (302, f"{gallery.url}/jobs/{jobs.namespace}/{name}")
    cookie = str(answer.headers["Set-Cookie"])
    assert "HttpOnly" in cookie
    session = gallery.request("GET", "/api/session", headers={"Cookie": cookie.partition(";")[0]}).json
    assert session["user"] == f"system:serviceaccount:{jobs.namespace}:{ACCOUNT}"


def test_results_are_downloaded_through_the_gallery_with_the_users_token(
    jobs: Jobs, recon: Program, gallery: Gallery, tmp_path: Path
) -> None:
    name = jobs.create_in("Succeeded")

    done = recon("results", name, "-o", tmp_path, "--gallery", gallery.url)

    assert done.returncode == 0, done.stderr
    fetched = tmp_path / f"{name}.glb"
    assert fetched.read_bytes() == (jobs.folder(name) / "output" / "model.glb").read_bytes()
    spec = jobs.get(name)["spec"]
    jobs.delete(name)
    options = ["restore", "--gallery", gallery.url]
    wait_until(lambda: f"{jobs.namespace}   {name}" in recon(*options).stdout, "the trash to have the result")
    assert recon("restore", name, *options[1:]).returncode == 0
    assert jobs.get(name)["spec"]["input"] == spec["input"]  # so that retry can run it again


def test_the_history_has_a_deleted_job_totals_and_csv(jobs: Jobs, recon: Program, gallery: Gallery) -> None:
    name = jobs.create_in("Succeeded")
    options = ["history", "--gallery", gallery.url]
    wait_until(lambda: name in recon(*options).stdout, "the end to be recorded")
    jobs.delete(name)
    jobs.wait_gone(name)

    shown, totals, table = (recon(*options, *more) for more in ((), ("--totals", "-o", "json"), ("-o", "csv")))

    assert re.search(rf"{jobs.namespace} +{name} +\S+ \S+ +Succeeded +\d+s", shown.stdout), shown.stdout + shown.stderr
    (total,) = json.loads(totals.stdout)["totals"]
    assert (total["namespace"], total["jobs"], total["succeeded"]) == (jobs.namespace, 1, 1)
    (row,) = csv.DictReader(table.stdout.splitlines())
    assert (row["name"], row["phase"], row["model"]) == (name, "Succeeded", "placeholder")
    later = recon(*options, "--since", "0s")
    assert (later.returncode, later.stdout) == (0, "No job that you may see has ended.\n")


def test_a_restored_job_runs_again_with_another_quality_and_its_authors_parameters(
    jobs: Jobs, recon: Program, gallery: Gallery
) -> None:
    written = {"quality": "preview", "seed": 3}
    name = jobs.create_in("Succeeded", modelType="rough-detailed", queue="rough", parameters=written)
    jobs.delete(name)
    options = ["restore", "--gallery", gallery.url]
    wait_until(lambda: f"{jobs.namespace}   {name}" in recon(*options).stdout, "the trash to have the result")
    assert recon("restore", name, *options[1:]).returncode == 0
    assert jobs.get(name)["spec"]["parameters"] == written

    done = recon("retry", name, "--name", "finer", "--quality", "fast", "--follow")

    assert done.returncode == 0, done.stderr
    assert "  parameters.quality: preview -> fast\n" in done.stderr
    sealed = json.loads((jobs.folder("finer") / "output" / "manifest.json").read_text())
    assert sealed["parameters"] == {"quality": "fast", "maxImageSize": 1600, "seed": 3}


def test_logs_without_pods_are_read_by_the_gallery(jobs: Jobs, recon: Program, gallery: Gallery) -> None:
    name = jobs.create_in("Succeeded")
    know(gallery, jobs, name)

    done = recon("logs", name, "-f", "--gallery", gallery.url, "--account", ACCOUNT)

    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert {part for _, part, _ in lines} >= {"operator", "worker"}
    assert next(sentence for _, part, sentence in lines if part == "worker").startswith("Begins: model ")
    wide = recon("logs", name, "-o", "wide", "--gallery", gallery.url, "--account", ACCOUNT).stdout
    of_celery = "Task reconstruction.process"
    assert (of_celery in done.stdout, of_celery in wide) == (False, True)
    assert [time for time, *_ in lines] == sorted(time for time, *_ in lines)


@pytest.mark.parametrize("options", [(), ("--account", ACCOUNT)], ids=["own-token", "token-for-the-gallery"])
def test_photos_are_uploaded_through_the_gallery_for_the_workers(  # noqa: PLR0917  # fixtures
    jobs: Jobs, recon: Program, gallery: Gallery, uploads: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    role = ("--clusterrole=reconstruction-editor", f"--serviceaccount={jobs.namespace}:{ACCOUNT}")
    jobs.system.cluster.kubectl("-n", jobs.namespace, "create", "rolebinding", "editor", *role)
    photos = tmp_path / "vase"
    for name in ("a.jpg", "b.jpg", "side/a.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(make_photo())
    chosen = ("--force", "--no-follow", "--model", "placeholder", "--label", "set=museum", "--gallery", gallery.url)

    done = recon("submit", photos, *chosen, *options)

    assert done.returncode == 0, done.stderr
    job = jobs.get("vase")
    assert job["metadata"]["labels"] == {"set": "museum"}
    folder = Path(job["spec"]["input"]["uri"].removeprefix("file://"))
    assert folder.is_relative_to(uploads)
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "b.jpg", "side_a.jpg"]
    refused = recon(
        "submit", photos, *chosen, *options, "--name", "other", "--param", "nested={}", "--queue", "Not A Queue"
    )
    assert "a queue's name has lower-case letters" in refused.stderr
    assert len(list((uploads / jobs.namespace).iterdir())) == 1
