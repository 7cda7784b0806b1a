"""Each object storage, S3 on a real server, Azure and Google Cloud Storage on emulators: inputs, results, and whole
jobs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.transfer import survey as surveys
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.destination import Destination
from reconstruction_operator.transfer.objects.layout import Pointer
from reconstruction_operator.transfer.objects.store import open_store
from reconstruction_operator.transfer.runs import DeliveringRun

from devcluster.servers.storage.emulators import Azurite, FakeGcs
from devcluster.servers.storage.s3 import S3
from tests.support import transfers
from tests.support.photos import make_photo
from tests.support.refs import make_attempt
from tests.support.results import JOB
from tests.support.servers.azure import Container
from tests.support.servers.google import GoogleBucket, running_xml_uploads
from tests.support.servers.objects import S3Server
from tests.support.settings import configure
from tests.support.storage import ObjectFolder
from tests.support.transfers import Output, contents

BUILD_SECONDS = 1800
# For Amazon, whose server is built while other tests run: `cloud` asks for it too late for the order of tests.
pytestmark = [pytest.mark.long, pytest.mark.timeout(BUILD_SECONDS), pytest.mark.usefixtures("s3")]
AZURE, GOOGLE = (pytest.param(name, marks=pytest.mark.release) for name in ("azure", "google"))  # take long to build

PHOTOS = {f"p {number}.jpg": make_photo() for number in range(8)}
_numbers = count(1)


@dataclass(frozen=True)
class Cloud:
    """An object storage: its scheme, the environment of its workers, and a function that makes a bucket."""

    scheme: str
    environment: dict[str, str]
    new: Callable[[str], ObjectFolder]


@pytest.fixture
def amazon(s3: S3) -> Cloud:
    server = S3Server(s3.url(), s3.access_key, s3.secret_key)
    return Cloud("s3", s3.environment(), server.bucket)


@pytest.fixture(scope="session")
def azure() -> Iterator[Cloud]:
    with Azurite() as server:
        yield Cloud("az", server.environment, lambda name: Container.new(server, name))


@pytest.fixture(scope="session")
def google() -> Iterator[Cloud]:
    with FakeGcs() as server, running_xml_uploads(server) as proxy:
        yield Cloud("gs", server.environment(proxy.server_port), lambda name: GoogleBucket.new(proxy, name))


@pytest.fixture(params=["amazon", AZURE, GOOGLE])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An object storage to which this process has access."""
    chosen: Cloud = request.getfixturevalue(request.param)
    for name, value in chosen.environment.items():
        monkeypatch.setenv(name, value)
    configure(monkeypatch, STORAGE_SCHEMES=(chosen.scheme,), STORAGE_STALL_SECONDS=20.0)
    return chosen


@pytest.fixture
def bucket(cloud: Cloud) -> ObjectFolder:
    """An empty bucket."""
    return cloud.new(f"cloud-{next(_numbers)}")


@pytest.fixture
def photos(bucket: ObjectFolder) -> str:
    """The address of eight photos."""
    for name, content in PHOTOS.items():
        bucket.put(f"my set/{name}", content)
    return f"{bucket.address}/my set/"


@pytest.fixture
def output(bucket: ObjectFolder) -> Output:
    return Output(bucket)


def as_attempt(result: Path, attempt: int) -> None:
    manifest = json.loads((result / "manifest.json").read_text())
    manifest["attempt"]["number"] = attempt
    (result / "manifest.json").write_text(json.dumps(manifest))


def test_photos_are_fetched(photos: str, into: Path) -> None:
    assert transfers.photos(photos, into) == PHOTOS


def test_photos_are_surveyed_before_the_queue(photos: str) -> None:
    assert surveys.survey(photos, Limits.from_config()).count == len(PHOTOS)


def test_a_retry_fetches_only_what_was_changed(photos: str, bucket: ObjectFolder, into: Path) -> None:
    transfers.photos(photos, into)
    before = transfers.kept(into)
    changed = make_photo(size=(80, 60))
    bucket.put("my set/p 3.jpg", changed)
    for path in into.iterdir():
        path.unlink()
    assert transfers.photos(photos, into) == PHOTOS | {"p 3.jpg": changed}
    assert len(transfers.kept(into).keys() - before.keys()) == 1


def test_a_result_is_delivered_in_one_request_and_in_parts(bucket: ObjectFolder, output: Output, result: Path) -> None:
    output.check()
    assert bucket.keys == []
    output.deliver(result)
    assert output.read() == contents(result)
    assert bucket.unfinished_uploads == []


def test_a_withdrawal_deletes_all_of_the_job_and_may_be_repeated(
    bucket: ObjectFolder, output: Output, result: Path
) -> None:
    bucket.put("meshes.txt", b"of others")
    output.deliver(result)
    output.withdraw()
    assert bucket.keys == ["meshes.txt"]
    output.withdraw()


def test_a_later_attempt_replaces_an_earlier_one_and_not_vice_versa(
    bucket: ObjectFolder, output: Output, result: Path
) -> None:
    output.deliver(result)
    as_attempt(result, 2)
    output.deliver(result, attempt=2)
    assert output.read() == contents(result)
    assert {key.split("/")[2][:2] for key in bucket.keys if key != "meshes/result.json"} == {"2-"}
    as_attempt(result, 1)
    with pytest.raises(SupersededError):
        output.deliver(result, attempt=1)
    assert output.pointer["attempt"] == 2


def test_the_result_of_another_job_is_not_replaced(output: Output, result: Path) -> None:
    output.deliver(result)
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* is the result of another job"):
        output.check("job2")


@pytest.mark.parametrize("is_first", [True, False], ids=["created", "updated"])
def test_a_pointer_that_another_run_writes_at_the_same_moment_is_not_replaced(
    bucket: ObjectFolder, output: Output, cloud: Cloud, *, is_first: bool
) -> None:
    address = ObjectAddress(cloud.scheme, bucket.address.rpartition("/")[2], "meshes", is_folder=True)
    destination = Destination(open_store(address), address, DeliveringRun(make_attempt(JOB), None))
    if not is_first:
        bucket.put("meshes/result.json", Pointer(JOB, 1, f"{JOB}/1-a/").to_bytes())
    standing = destination.standing()
    checks: list[int] = []

    def check() -> None:
        if not checks:
            bucket.put("meshes/result.json", Pointer(JOB, 2, f"{JOB}/2-c/").to_bytes())
        checks.append(1)

    with pytest.raises(SupersededError):
        destination.point(Pointer(JOB, 1, f"{JOB}/1-b/"), standing, check)
    assert output.pointer["attempt"] == 2


@pytest.mark.parametrize("cloud", ["amazon", AZURE], indirect=True)  # the emulator of Google returns 500
def test_a_missing_bucket_is_reported(cloud: Cloud, into: Path) -> None:
    with pytest.raises(StorageError, match=r"INPUT_NOT_FOUND: .* bucket nowhere-at-all does not exist"):
        transfers.photos(f"{cloud.scheme}://nowhere-at-all/set/", into)


def test_a_missing_archive_is_reported(bucket: ObjectFolder, into: Path) -> None:
    with pytest.raises(StorageError, match=r"INPUT_NOT_FOUND: .*set\.zip does not exist"):
        transfers.photos(f"{bucket.address}/set.zip", into)


@pytest.mark.parametrize("cloud", [AZURE], indirect=True)  # the emulator of Google accepts every key
def test_a_wrong_key_is_refused(
    bucket: ObjectFolder, output: Output, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: .* the server rejects the workers' credentials \(403"):
        transfers.photos(f"{bucket.address}/set/", into)
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* the server rejects the workers' credentials") as caught:
        output.check()
    assert "127.0.0.1" not in caught.value.message
