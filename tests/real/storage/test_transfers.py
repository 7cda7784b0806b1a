"""Transfers with a real S3 server: credentials, policies, certificates and proxies, which moto does not check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reconstruction_operator.transfer.errors import StorageError

from devcluster.servers.storage.s3 import S3
from tests.support import transfers
from tests.support.servers.connect_proxy import running_proxy
from tests.support.servers.objects import Bucket, S3Server
from tests.support.settings import configure
from tests.support.transfers import Output, contents

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


@pytest.mark.parametrize(("name", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "unknown")])
def test_wrong_credentials_are_refused_and_the_endpoint_is_not_shown(
    name: str, value: str, access: Bucket, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: .* the server rejects the workers' credentials \(403"):
        transfers.photos(f"s3://{access.name}/set/", into)
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* the server rejects the workers' credentials") as caught:
        Output(access).check()
    assert "127.0.0.1" not in caught.value.message


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
        Output(access).check()


def test_the_documented_permissions_are_enough(
    photos: str, guest: str, access: Bucket, into: Path, result: Path
) -> None:
    access.allow(guest, *READING, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
    assert transfers.photos(photos, into) == PHOTOS
    output = Output(access)
    output.check()
    output.deliver(result)
    assert output.read() == contents(result)
    output.withdraw()
    assert [key for key in access.keys if key.startswith("meshes/")] == []


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3, Bucket]]:
    """A server whose certificate a private authority has signed, and a bucket on it with one photo."""
    with S3(tls=True) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        configure(monkeypatch, STORAGE_SCHEMES=("s3",), STORAGE_STALL_SECONDS=5.0)
        bucket = S3Server(server.url(), server.access_key, server.secret_key, str(server.ca)).bucket("private")
        bucket.put("set/a.jpg", b"photo")
        yield server, bucket


def test_a_server_of_a_private_authority_is_not_trusted_by_default(private: tuple[S3, Bucket], into: Path) -> None:
    with pytest.raises(
        StorageError, match=r"INPUT_UNREACHABLE: .* cannot be read: the workers do not trust the server's certificate"
    ):
        transfers.photos("s3://private/set/", into)


def test_a_private_authority_is_trusted_in_all_processes_that_transfer(
    private: tuple[S3, Bucket], into: Path, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, bucket = private
    configure(monkeypatch, STORAGE_CA_FILE=str(server.ca))
    assert transfers.photos("s3://private/set/", into) == {"a.jpg": b"photo"}
    output = Output(bucket)
    output.check()
    output.deliver(result)
    assert output.read() == contents(result)
    output.withdraw()
    assert bucket.keys == ["set/a.jpg"]


@pytest.mark.parametrize("user_info", ["", "worker:password"])
def test_a_server_is_reached_through_a_proxy(
    user_info: str, private: tuple[S3, Bucket], into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, bucket = private
    configure(monkeypatch, STORAGE_CA_FILE=str(server.ca))
    with running_proxy(user_info) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert transfers.photos("s3://private/set/", into) == {"a.jpg": b"photo"}
        Output(bucket).check()
        assert set(proxy.connected) == {f"127.0.0.1:{server.port}"}


def test_a_proxy_that_refuses_the_password_is_reported_without_it(
    private: tuple[S3, Bucket], into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = private
    configure(monkeypatch, STORAGE_CA_FILE=str(server.ca))
    with running_proxy("worker:password") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("password", "forgotten"))
        with pytest.raises(StorageError, match=r"cannot be read: the proxy requires another user or") as caught:
            transfers.photos("s3://private/set/", into)
    assert "forgotten" not in caught.value.message
    assert proxy.connected == []
