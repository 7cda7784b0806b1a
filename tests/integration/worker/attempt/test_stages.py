"""Stages and photos of an earlier attempt, from which the next one continues."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator.api.attempt_status import Inputs
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.jobfiles.folder_deletion import delete_job_files
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.tasks.reconstruction import process_reconstruction
from reconstruction_operator.transfer.photos import process
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from tests.support.archives import zipped
from tests.support.photos import make_photo
from tests.support.servers.https import running_https
from tests.support.settings import configure
from tests.support.worker.attempts import JOB, end, run, want

pytestmark = pytest.mark.usefixtures("wanted", "rough_models")


def die(folder: Path, attempt: int = 1, **envelope: object) -> None:
    """Run an attempt whose model seals a stage and is killed."""
    with pytest.raises(ReconstructionFailedError, match="OUT_OF_MEMORY"):
        run(attempt, model="rough-staged", input_uri=f"file://{folder}", **envelope)


def left() -> list[str]:
    """Return the files that attempts have left for the next one."""
    return sorted(
        re.sub("~[0-9a-f]{32}", "", path.relative_to(space.root).as_posix())
        for space in JobFolder.of(JOB).workspaces()
        for path in space.root.rglob("*")
    )


def test_the_attempt_after_a_failure_continues_from_its_stage(
    folder: Path, client: redis.Redis, jobs_dir: Path
) -> None:
    die(folder)
    assert left() == [
        "loaded",
        "loaded/a.jpg",
        "loaded/photos.json",
        "owner.json",
        "stages",
        "stages/features",
        "stages/features/features.txt",
        "stages/features/seal.json",
    ]
    want(client, 2)
    run(2, model="rough-staged", input_uri=f"file://{folder}")
    assert (end(client, 2).outcome, end(client, 2).findings.resumed_from) == (
        Outcome.SUCCEEDED,
        "features of attempt 1",
    )
    output = jobs_dir / JOB / "output"
    assert json.loads((output / "manifest.json").read_text())["resumedFrom"] == "features of attempt 1"
    assert [path.name for path in (jobs_dir / JOB).iterdir()] == ["output"]


def test_a_job_continues_from_stages_of_another_until_that_is_deleted(
    folder: Path, client: redis.Redis, jobs_dir: Path
) -> None:
    photos: dict[str, Any] = {"model": "rough-staged", "input_uri": f"file://{folder}"}
    die(folder, namespace="red", namespace_uid="red-1", name="first")
    want(client, 2)
    run(2, namespace="red", namespace_uid="red-1", name="first", **photos)

    want(client, 1, "uid-2")
    run(1, job_id="uid-2", namespace="red", namespace_uid="red-1", name="second", **photos)
    assert end(client, 1, "uid-2").findings.resumed_from == "features of job first"
    want(client, 1, "uid-3")
    with pytest.raises(ReconstructionFailedError, match="OUT_OF_MEMORY"):  # it makes the stage anew
        run(1, job_id="uid-3", namespace="blue", namespace_uid="blue-1", name="second", last=True, **photos)

    for job_id in (JOB, "uid-2"):
        delete_job_files(job_id)
    assert not (jobs_dir / ".stages").exists()


def test_unchanged_photos_are_not_decoded_again(
    folder: Path, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(folder)
    decoded: list[Path] = []
    check = process.check_all

    def check_all(paths: Sequence[Path], *rest: Any) -> Any:
        decoded.extend(paths)
        return check(paths, *rest)

    monkeypatch.setattr(process, "check_all", check_all)
    want(client, 2)
    run(2, model="rough-staged", input_uri=f"file://{folder}")
    assert decoded == []
    assert end(client, 2).findings.inputs == Inputs(images=1, bytes=(folder / "a.jpg").stat().st_size)


def test_an_unchanged_archive_is_not_downloaded_again(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive, sent = zipped(("a.jpg", make_photo())), []

    def page(handler: BaseHTTPRequestHandler) -> None:
        content = b"" if handler.headers["If-None-Match"] == '"1"' else archive
        sent.append(len(content))
        handler.send_response(200 if content else 304)
        handler.send_header("ETag", '"1"')
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    with running_https(tmp_path) as server:
        server.pages["/a.zip"] = page
        configure(monkeypatch, INPUT_HTTPS_HOSTS=("localhost",))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        with pytest.raises(ReconstructionFailedError, match="OUT_OF_MEMORY"):
            run(1, model="rough-staged", input_uri=server.url("/a.zip"))
        want(client, 2)
        run(2, model="rough-staged", input_uri=server.url("/a.zip"))

    assert sent == [len(archive), 0]
    assert end(client, 2).findings.resumed_from == "features of attempt 1"


def test_damaged_photos_are_read_again(folder: Path, client: redis.Redis) -> None:
    die(folder)
    (space,) = JobFolder.of(JOB).workspaces()
    (space.loaded / "a.jpg").write_bytes(b"spoiled")
    want(client, 2)
    run(2, model="rough-staged", input_uri=f"file://{folder}")
    assert end(client, 2).findings.resumed_from == "features of attempt 1"


def test_an_attempt_with_other_photos_uses_no_stage(folder: Path, client: redis.Redis) -> None:
    die(folder)
    (folder / "a.jpg").write_bytes(make_photo())
    want(client, 2)
    die(folder, 2)
    want(client, 3)
    run(3, model="rough-staged", input_uri=f"file://{folder}")
    assert end(client, 3).findings.resumed_from == "features of attempt 2"


def test_the_last_attempt_leaves_no_stage_if_it_fails(folder: Path, jobs_dir: Path) -> None:
    die(folder, last=True)
    assert list(jobs_dir.iterdir()) == []


def test_a_bare_task_that_fails_leaves_no_stage(jobs_dir: Path) -> None:
    (jobs_dir / "bare" / "input").mkdir(parents=True)
    (jobs_dir / "bare" / "input" / "a.jpg").write_bytes(make_photo())
    with pytest.raises(ReconstructionFailedError, match="OUT_OF_MEMORY"):
        process_reconstruction("bare", "rough-staged")
    assert [path.name for path in (jobs_dir / "bare").iterdir()] == ["input"]
