"""Azure and Google Cloud Storage, on emulators: photos come from there and results go there, in transfers and in whole jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.transfer import fetch, outputs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders.delivery import EVERY_ATTEMPT, Run
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.concurrency import Clock
from reconstruction_operator.transfer.objects.layout import Pointer
from reconstruction_operator.transfer.objects.store import open_store
from reconstruction_operator.transfer.objects.target import Target
from reconstruction_operator.transfer.preflight import survey as surveys

from devcluster import Redis
from devcluster.harness.workers import Farm
from devcluster.servers.storage.emulators import Azurite, FakeGcs
from tests.support.photos import make_photo
from tests.support.servers.azure import Container
from tests.support.servers.google import GoogleBucket, running_xml_uploads
from tests.support.settings import configure
from tests.support.storage import JOB, ObjectFolder, StorageJob

BUILD_SECONDS = 1800
pytestmark = [pytest.mark.release, pytest.mark.timeout(BUILD_SECONDS)]

PHOTOS = {f"p {number}.jpg": make_photo() for number in range(8)}
_numbers = count(1)


@dataclass(frozen=True)
class Cloud:
    """An emulator: its scheme, what a worker is given, and what makes a bucket in it."""

    scheme: str
    environment: dict[str, str]
    new: Callable[[str], ObjectFolder]


@pytest.fixture(scope="session")
def azure() -> Iterator[Cloud]:
    with Azurite() as server:
        yield Cloud("az", server.environment, lambda name: Container.new(server, name))


@pytest.fixture(scope="session")
def google() -> Iterator[Cloud]:
    with FakeGcs() as server, running_xml_uploads(server) as proxy:
        yield Cloud("gs", server.environment(proxy.server_port), lambda name: GoogleBucket.new(proxy, name))


@pytest.fixture(params=["azure", "google"])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """To which this process has access."""
    found: Cloud = request.getfixturevalue(request.param)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    configure(monkeypatch, STORAGE_SCHEMES=(found.scheme,), STORAGE_STALL_SECONDS=20.0)
    return found


@pytest.fixture
def bucket(cloud: Cloud) -> ObjectFolder:
    """An empty one."""
    return cloud.new(f"bucket-{next(_numbers)}")


@pytest.fixture
def photos(bucket: ObjectFolder) -> str:
    """The address of eight photos."""
    for name, content in PHOTOS.items():
        bucket.put(f"my set/{name}", content)
    return f"{bucket.address}/my set/"


def limits(cloud: Cloud) -> Limits:
    return replace(Limits.from_config(), schemes=(cloud.scheme,))


def take(uri: str, into: Path, cloud: Cloud) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in fetch.fetch(uri, into, into.with_name("fetched"), limits(cloud), lambda *_: None).photos
    }


def check(bucket: ObjectFolder, job: str = JOB) -> None:
    outputs.check(f"{bucket.address}/meshes/", Run(job, 1, None), namespace="maps", check=lambda: None)


def deliver(result: Path, bucket: ObjectFolder, attempt: int = 1) -> None:
    run = Run(JOB, attempt, None)
    outputs.deliver(result, f"{bucket.address}/meshes/", run, lambda: None, namespace="maps")


def withdraw(bucket: ObjectFolder) -> None:
    outputs.withdraw(f"{bucket.address}/meshes/", Run(JOB, EVERY_ATTEMPT, None), namespace="maps")


def read(bucket: ObjectFolder) -> dict[str, bytes]:
    """What a reader that follows the pointer finds."""
    prefix = "meshes/" + json.loads(bucket.get("meshes/result.json"))["folder"]
    return {key.removeprefix(prefix): bucket.get(key) for key in bucket.keys if key.startswith(prefix)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kept(into: Path) -> set[tuple[str, int]]:
    """The fetched files and their inodes."""
    return {(path.name, path.stat().st_ino) for path in into.with_name("fetched").iterdir()}


def as_attempt(result: Path, attempt: int) -> None:
    manifest = json.loads((result / "manifest.json").read_text())
    (result / "manifest.json").write_text(json.dumps(manifest | {"attempt": attempt}))


def test_photos_are_fetched(photos: str, into: Path, cloud: Cloud) -> None:
    assert take(photos, into, cloud) == PHOTOS


def test_photos_are_looked_at_before_the_queue(photos: str, cloud: Cloud) -> None:
    assert surveys.survey(photos, limits(cloud)).count == len(PHOTOS)


def test_a_retry_fetches_only_what_was_changed(photos: str, bucket: ObjectFolder, into: Path, cloud: Cloud) -> None:
    take(photos, into, cloud)
    before = kept(into)
    changed = make_photo(size=(80, 60))
    bucket.put("my set/p 3.jpg", changed)
    for path in into.iterdir():
        path.unlink()
    assert take(photos, into, cloud) == PHOTOS | {"p 3.jpg": changed}
    assert len(kept(into) - before) == 1


def test_a_result_is_delivered_in_one_request_and_in_parts(bucket: ObjectFolder, result: Path) -> None:
    check(bucket)
    assert bucket.keys == []
    deliver(result, bucket)
    assert read(bucket) == contents(result)
    assert bucket.unfinished_uploads == []


def test_a_result_is_withdrawn_also_twice(bucket: ObjectFolder, result: Path) -> None:
    deliver(result, bucket)
    withdraw(bucket)
    assert bucket.keys == []
    withdraw(bucket)


def test_a_later_attempt_replaces_an_earlier_one_and_never_the_other_way_round(
    bucket: ObjectFolder, result: Path
) -> None:
    deliver(result, bucket)
    as_attempt(result, 2)
    deliver(result, bucket, attempt=2)
    assert read(bucket) == contents(result)
    assert {key.split("/")[2][:2] for key in bucket.keys if key != "meshes/result.json"} == {"2-"}
    as_attempt(result, 1)
    with pytest.raises(OvertakenError):
        deliver(result, bucket, attempt=1)
    assert json.loads(bucket.get("meshes/result.json"))["attempt"] == 2


def test_the_result_of_another_job_is_not_replaced(bucket: ObjectFolder, result: Path) -> None:
    deliver(result, bucket)
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* is the result of another job"):
        check(bucket, "job-2")


@pytest.mark.parametrize("is_first", [True, False], ids=["created", "updated"])
def test_a_pointer_that_another_run_writes_at_the_same_moment_is_not_replaced(
    bucket: ObjectFolder, cloud: Cloud, *, is_first: bool
) -> None:
    address = ObjectAddress(cloud.scheme, bucket.address.rpartition("/")[2], "meshes", is_folder=True)
    target = Target(open_store(address, 20.0, ""), address, JOB, 1, Clock(20.0), lambda: None)
    if not is_first:
        bucket.put("meshes/result.json", Pointer(JOB, 1, f"{JOB}/1-a/").to_bytes())
    standing = target.standing()
    checks: list[int] = []

    def check() -> None:
        if not checks:
            bucket.put("meshes/result.json", Pointer(JOB, 2, f"{JOB}/2-c/").to_bytes())
        checks.append(1)

    with pytest.raises(OvertakenError):
        target.point(Pointer(JOB, 1, f"{JOB}/1-b/"), standing, check)
    assert json.loads(bucket.get("meshes/result.json"))["attempt"] == 2


@pytest.mark.parametrize("cloud", ["azure"], indirect=True)  # the emulator of Google answers such a list with 500
def test_a_bucket_that_is_not_there_is_reported(cloud: Cloud, into: Path) -> None:
    with pytest.raises(StorageError, match=r"INPUT_NOT_FOUND: "):
        take(f"{cloud.scheme}://nowhere-at-all/set/", into, cloud)


def test_an_archive_that_is_not_there_is_reported(bucket: ObjectFolder, cloud: Cloud, into: Path) -> None:
    with pytest.raises(StorageError, match=r"INPUT_NOT_FOUND: .*set\.zip does not exist"):
        take(f"{bucket.address}/set.zip", into, cloud)


@pytest.mark.parametrize("cloud", ["azure"], indirect=True)  # the emulator of Google takes every key
def test_a_wrong_key_is_refused(
    bucket: ObjectFolder, cloud: Cloud, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: .* the server rejects the workers' credentials \(403"):
        take(f"{bucket.address}/set/", into, cloud)
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* the server rejects the workers' credentials") as caught:
        check(bucket)
    assert "127.0.0.1" not in caught.value.message


def test_a_job_takes_photos_from_there_and_delivers_its_result_there(bucket: ObjectFolder, cloud: Cloud) -> None:
    settings = {"STORAGE_SCHEMES": cloud.scheme, "STORAGE_STALL_SECONDS": "20"}
    with Redis() as server, Farm(server, **cloud.environment, **settings) as farm:
        job = StorageJob(farm, bucket)
        job.put_photos(3)
        farm.start_worker("worker", concurrency=1)
        job.send()
        assert job.end().outcome == "Succeeded", job.end()
        job.assert_delivered()
