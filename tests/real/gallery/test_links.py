"""Links to results: only of succeeded jobs, and beside a secret that becomes unusable."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from reconstruction_gallery.web import links
from reconstruction_operator.jobfiles.layout import EARLY_LOOK

from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import SHARE_SECRET, MakeUser
from tests.real.gallery.test_access import know


@pytest.fixture
def secret_file(gallery: Gallery, jobs: Jobs) -> Iterator[Path]:
    """The file with the gallery's secret, which a test may change."""
    file = jobs.system.folder / "share-secret"
    yield file
    file.chmod(0o600)
    file.write_text(SHARE_SECRET)


def link_to(jobs: Jobs, name: str) -> str:
    """Return the path of a valid link to a job, whatever its state."""
    claim = f"{jobs.get(name)['metadata']['uid']}.{int(time.time()) + 600}"
    return f"/api/shared/{links.signed(SHARE_SECRET, claim)}"


def test_a_link_of_a_running_or_failed_job_shows_nothing(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    running = jobs.create_in("Running", queue="slow")
    failed = jobs.create(queue="slow", activeDeadlineSeconds=1)
    jobs.wait_phase(failed, "Failed")
    (attempt,) = (jobs.system.jobs_dir / jobs.get(running)["metadata"]["uid"] / "attempts").iterdir()
    (attempt / "scratch").mkdir(parents=True, exist_ok=True)
    (attempt / "scratch" / EARLY_LOOK).write_bytes(b"early")
    token, page = make_user("viewer"), f"/api/namespaces/{jobs.namespace}/jobs"
    know(gallery, jobs, running)
    know(gallery, jobs, failed)

    assert gallery.request("GET", f"{page}/{running}/files/{EARLY_LOOK}", token=token).content == b"early"
    for name in (running, failed):
        for path in ("", f"/files/{EARLY_LOOK}", "/files/manifest.json", "/result.zip"):
            assert gallery.request("GET", link_to(jobs, name) + path).status == 404
        assert gallery.request("POST", f"{page}/{name}/share", token=token).status == 409


@pytest.mark.parametrize("content", [b"short", b"\xff" * 40, b"", None], ids=["short", "no-utf-8", "empty", "missing"])
def test_an_unusable_secret_leaves_pages_and_links_as_they_are(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser, secret_file: Path, content: bytes | None
) -> None:
    name = jobs.create()
    jobs.wait_phase(name, "Succeeded")
    know(gallery, jobs, name)
    page = f"/api/namespaces/{jobs.namespace}/jobs/{name}"
    token = make_user("viewer")
    link = link_to(jobs, name)
    assert gallery.request("GET", link).status == 200

    if content is None:
        secret_file.unlink()
    else:
        secret_file.write_bytes(content)

    assert gallery.request("GET", page, token=token).json["permissions"]["share"] is True
    assert gallery.request("GET", link).status == 200
    assert gallery.request("POST", f"{page}/share", token=token).status == 201
    wait_until(lambda: "the last one stays valid" in gallery.process.log_end(), "a line in the log")
    secret_file.write_text(secrets.token_urlsafe(32))
    assert gallery.request("GET", link).status == 404
