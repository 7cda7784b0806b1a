"""Transfers to and from a real S3 server: what moto does not know of credentials, policies, certificates and conditions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.transfer import fetch, outputs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.runs import EVERY_ATTEMPT, Run

from devcluster.servers.storage.s3 import S3
from tests.support.servers.connect_proxy import running_proxy
from tests.support.servers.objects import Bucket, S3Server
from tests.support.settings import configure
from tests.support.storage import JOB

BUILD_SECONDS = 1800
pytestmark = [pytest.mark.long, pytest.mark.timeout(BUILD_SECONDS)]

PHOTOS = {f"p{number}.jpg": bytes([number]) * 70_000 for number in range(8)}


@pytest.fixture
def photos(access: Bucket) -> str:
    """The address of eight photos."""
    for name, content in PHOTOS.items():
        access.put(f"set/{name}", content)
    return f"s3://{access.name}/set/"


@pytest.fixture
def guest(s3: S3, access: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    """This process's account, which may do what the bucket's policy allows."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.guest_access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.guest_secret_key)
    return s3.guest_access_key


def take(uri: str, into: Path) -> dict[str, bytes]:
    limits = replace(Limits.from_config(), schemes=("s3",))
    return {
        path.name: path.read_bytes()
        for path in fetch.fetch(uri, into, into.with_name("fetched"), limits, lambda *_: None).photos
    }


def check(bucket: str) -> None:
    outputs.check(f"s3://{bucket}/meshes/", Run(JOB, 1, None), namespace="maps", check=lambda: None)


def deliver(result: Path, bucket: Bucket, attempt: int = 1) -> None:
    run = Run(JOB, attempt, None)
    outputs.deliver(result, f"s3://{bucket.name}/meshes/", run, lambda: None, namespace="maps")


def read(bucket: Bucket) -> dict[str, bytes]:
    prefix = "meshes/" + json.loads(bucket.get("meshes/result.json"))["folder"]
    return {key.removeprefix(prefix): bucket.get(key) for key in bucket.keys if key.startswith(prefix)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_photos_are_fetched_and_a_result_is_delivered(photos: str, access: Bucket, into: Path, result: Path) -> None:
    assert take(photos, into) == PHOTOS
    check(access.name)
    deliver(result, access)
    assert read(access) == contents(result)
    outputs.withdraw(f"s3://{access.name}/meshes/", Run(JOB, EVERY_ATTEMPT, None), namespace="maps")
    assert [key for key in access.keys if key.startswith("meshes/")] == []


def test_the_pointer_never_goes_back_to_an_earlier_attempt(access: Bucket, result: Path) -> None:
    text = (result / "manifest.json").read_text()
    (result / "manifest.json").write_text(text.replace('"attempt": 1', '"attempt": 2'))
    deliver(result, access, attempt=2)
    (result / "manifest.json").write_text(text)
    with pytest.raises(OvertakenError):
        deliver(result, access, attempt=1)
    assert json.loads(access.get("meshes/result.json"))["attempt"] == 2


@pytest.mark.parametrize(("name", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "unknown")])
def test_wrong_credentials_are_refused_and_the_endpoint_is_not_shown(
    name: str, value: str, access: Bucket, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: .* the server rejects the workers' credentials \(403"):
        take(f"s3://{access.name}/set/", into)
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* the server rejects the workers' credentials") as caught:
        check(access.name)
    assert "127.0.0.1" not in caught.value.message


def test_a_bucket_that_is_not_there_is_reported(access: Bucket, into: Path) -> None:
    with pytest.raises(StorageError, match=r"INPUT_NOT_FOUND: .* bucket nowhere-at-all does not exist"):
        take("s3://nowhere-at-all/set/", into)
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* bucket nowhere-at-all does not exist"):
        check("nowhere-at-all")


READING = ("s3:GetObject", "s3:ListBucket")


@pytest.mark.parametrize(
    ("allowed", "what"),
    [
        pytest.param(READING, "written", id="reading"),
        pytest.param((*READING, "s3:PutObject"), "cleared of objects", id="all but deleting"),
    ],
)
def test_a_bucket_that_the_workers_may_not_use_is_refused_before_the_work(
    allowed: tuple[str, ...], what: str, guest: str, access: Bucket
) -> None:
    access.allow(guest, *allowed)
    refusal = rf"OUTPUT_REFUSED: .* cannot be {what}: the server rejects the workers' credentials \((403 )?AccessDenied"
    with pytest.raises(StorageError, match=refusal):
        check(access.name)


def test_what_the_documentation_asks_for_is_enough(
    photos: str, guest: str, access: Bucket, into: Path, result: Path
) -> None:
    access.allow(guest, *READING, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
    assert take(photos, into) == PHOTOS
    check(access.name)
    deliver(result, access)
    assert read(access) == contents(result)
    outputs.withdraw(f"s3://{access.name}/meshes/", Run(JOB, EVERY_ATTEMPT, None), namespace="maps")
    assert [key for key in access.keys if key.startswith("meshes/")] == []


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3, Bucket]]:
    """A server whose certificate a private authority has signed, and a bucket on it with one photo."""
    with S3(tls=True) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        configure(monkeypatch, STORAGE_SCHEMES=("s3",), STORAGE_STALL_SECONDS=20.0)
        bucket = S3Server(server.url(), server.access_key, server.secret_key, str(server.ca)).bucket("private")
        bucket.put("set/a.jpg", b"photo")
        yield server, bucket


def test_a_server_of_a_private_authority_is_not_trusted_by_itself(private: tuple[S3, Bucket], into: Path) -> None:
    with pytest.raises(
        StorageError, match=r"INPUT_UNREACHABLE: .* cannot be read: the workers do not trust the server's certificate"
    ):
        take("s3://private/set/", into)


def test_a_private_authority_is_trusted_in_all_processes_that_transfer(
    private: tuple[S3, Bucket], into: Path, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, bucket = private
    configure(monkeypatch, STORAGE_CA_FILE=str(server.ca))
    assert take("s3://private/set/", into) == {"a.jpg": b"photo"}
    check("private")
    deliver(result, bucket)
    assert read(bucket) == contents(result)
    outputs.withdraw("s3://private/meshes/", Run(JOB, EVERY_ATTEMPT, None), namespace="maps")
    assert bucket.keys == ["set/a.jpg"]


@pytest.mark.parametrize("user_info", ["", "worker:password"])
def test_a_server_is_reached_through_a_proxy(
    user_info: str, private: tuple[S3, Bucket], into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = private
    configure(monkeypatch, STORAGE_CA_FILE=str(server.ca))
    with running_proxy(user_info) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert take("s3://private/set/", into) == {"a.jpg": b"photo"}
        check("private")
        assert set(proxy.connected) == {f"127.0.0.1:{server.port}"}


def test_a_proxy_that_refuses_the_password_is_reported_without_it(
    private: tuple[S3, Bucket], into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = private
    configure(monkeypatch, STORAGE_CA_FILE=str(server.ca))
    with running_proxy("worker:password") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("password", "forgotten"))
        with pytest.raises(StorageError, match=r"cannot be read: the proxy rejects the user or") as caught:
            take("s3://private/set/", into)
    assert "forgotten" not in caught.value.message
    assert proxy.connected == []
