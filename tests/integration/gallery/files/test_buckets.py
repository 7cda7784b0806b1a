"""Results in a bucket: the pointer leads only to the job's own folder, never to other objects of the bucket."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from reconstruction_gallery.files.buckets import Buckets
from reconstruction_gallery.files.opened import NoResultError, UnreadableResultError
from reconstruction_gallery.files.results import Results
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.contract.manifest import MAX_MANIFEST_BYTES, Manifest, SealedFile
from reconstruction_operator.transfer.objects.process import ObjectTarget
from reconstruction_operator.transfer.runs import DeliveringRun

from tests.support.refs import make_attempt
from tests.support.results import JOB, seal_files
from tests.support.servers.objects import Bucket
from tests.support.settings import configure

OTHER = "0b4e1d7e-0000-4000-8000-000000000002"
KEY = JobRef("maps", "banana", JOB)
MESH = bytes(range(256)) * 4096  # several pieces
FILES = {"model.glb": MESH, "previews/front.png": b"picture", "empty.txt": b""}


@pytest.fixture
def uri(bucket: Bucket, tmp_path: Path, jobs_dir: Path) -> str:
    """The address of a delivered result."""
    uri, folder = f"s3://{bucket.name}/meshes/banana/", tmp_path / "result"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    seal_files(folder, *FILES, uri=uri)
    ObjectTarget(uri, "maps").deliver(folder, DeliveringRun(make_attempt(JOB), None), lambda: None, lambda *_: None)
    return uri


async def read(uri: str, name: str, start: int = 0, end: int | None = None, key: JobRef = KEY) -> bytes:
    opened = await Results(0.0).open(key, uri, name)
    try:
        content = await opened.read(start, opened.sealed.bytes if end is None else end)
        return b"".join([piece async for piece in content])
    finally:
        opened.close()


def folder_in(bucket: Bucket) -> str:
    return str(json.loads(bucket.get("meshes/banana/result.json"))["folder"])


def point(bucket: Bucket, folder: str) -> None:
    pointer = {"version": 1, "jobId": JOB, "attempt": 1, "folder": folder, "manifest": f"{folder}manifest.json"}
    bucket.put("meshes/banana/result.json", json.dumps(pointer).encode())


async def test_each_file_is_read_whole_and_in_ranges(uri: str) -> None:
    assert {name: await read(uri, name) for name in FILES} == FILES
    assert await read(uri, "model.glb", 5, 300_000) == MESH[5:300_000]
    assert await read(uri, "model.glb", len(MESH) - 3) == MESH[-3:]


async def test_a_job_without_a_delivery_has_no_result(bucket: Bucket, jobs_dir: Path) -> None:
    results = Results(0.0)

    assert await results.manifest(KEY, "") is None
    assert await results.manifest(KEY, "file:///meshes/banana") is None
    assert await results.manifest(KEY, f"s3://{bucket.name}/meshes/banana/") is None


async def test_the_result_of_another_job_at_the_same_address_is_not_read(uri: str) -> None:
    key = JobRef("maps", "thief", OTHER)  # an author may enter any address

    assert await Results(0.0).manifest(key, uri) is None
    with pytest.raises(NoResultError):
        await read(uri, "model.glb", key=key)


@pytest.mark.parametrize(
    "folder",
    [
        "../private/",
        "{other}/1-0123456789abcdef/",
        "{job}/../../private/",
        "{job}/",
        "",
        "/",
        "{job}/1-0123456789abcdef",
    ],
)
async def test_a_pointer_outside_the_jobs_own_folder_is_ignored(uri: str, bucket: Bucket, folder: str) -> None:
    folder = folder.format(other=OTHER, job=JOB)
    manifest = Manifest(make_attempt(JOB), files=(SealedFile("secret.txt", 6, "0" * 64),)).to_text().encode()
    for place in ("private/", "meshes/private/", f"meshes/banana/{OTHER}/1-0123456789abcdef/"):
        bucket.put(f"{place}manifest.json", manifest)
        bucket.put(f"{place}secret.txt", b"SECRET")
    point(bucket, folder)

    assert await Results(0.0).manifest(KEY, uri) is None


@pytest.mark.parametrize(
    "name", ["../secret.txt", "a/../../secret.txt", "/secret.txt", "a//b", "C:secret.txt", "a\\b", ""]
)
async def test_a_hostile_manifest_opens_no_other_object(uri: str, bucket: Bucket, name: str) -> None:
    folder = folder_in(bucket)
    bucket.put(f"meshes/banana/{JOB}/secret.txt", b"SECRET")
    manifest = Manifest(make_attempt(JOB), files=(SealedFile(name, 6, "0" * 64),)).to_text()
    bucket.put(f"meshes/banana/{folder}manifest.json", manifest.encode())

    with pytest.raises(NoResultError):
        await read(uri, name)


async def test_a_file_of_negative_size_is_not_opened(uri: str, bucket: Bucket) -> None:
    manifest = Manifest(make_attempt(JOB), files=(SealedFile("model.glb", -5, "0" * 64),)).to_text()
    bucket.put(f"meshes/banana/{folder_in(bucket)}manifest.json", manifest.encode())

    with pytest.raises(NoResultError):
        await read(uri, "model.glb")


async def test_the_manifest_of_another_job_is_ignored(uri: str, bucket: Bucket) -> None:
    bucket.put(f"meshes/banana/{folder_in(bucket)}manifest.json", Manifest(make_attempt(OTHER)).to_text().encode())

    assert await Results(0.0).manifest(KEY, uri) is None


async def test_a_huge_pointer_or_manifest_is_not_read(uri: str, bucket: Bucket) -> None:
    bucket.put(f"meshes/banana/{folder_in(bucket)}manifest.json", b" " * MAX_MANIFEST_BYTES + b"{}")
    assert await Results(0.0).manifest(KEY, uri) is None

    bucket.put("meshes/banana/result.json", b" " * 70_000 + b"{}")
    assert await Results(0.0).manifest(KEY, uri) is None


async def test_a_manifest_of_too_many_values_is_not_parsed(uri: str, bucket: Bucket) -> None:
    values = ",".join(["{}"] * 100_000)  # 0.2 MB, which would take 10 MB
    content = json.loads(bucket.get(f"meshes/banana/{folder_in(bucket)}manifest.json")) | {"parameters": {"a": 0}}
    text = json.dumps(content).replace('{"a": 0}', f'{{"a": [{values}]}}')
    bucket.put(f"meshes/banana/{folder_in(bucket)}manifest.json", text.encode())

    assert await Results(0.0).manifest(KEY, uri) is None


async def test_results_in_memory_are_bounded(uri: str, bucket: Bucket) -> None:
    values = ",".join(["{}"] * 45_000)
    content = json.loads(bucket.get(f"meshes/banana/{folder_in(bucket)}manifest.json")) | {"parameters": {"a": 0}}
    text = json.dumps(content).replace('{"a": 0}', f'{{"a": [{values}]}}')
    bucket.put(f"meshes/banana/{folder_in(bucket)}manifest.json", text.encode())
    results = Results(600.0)
    tracemalloc.start()
    try:
        for number in range(30):  # each spelling of the address is an entry of 3 MB
            name = "".join(f"%{ord(sign):x}" if number >> at & 1 else sign for at, sign in enumerate("banana"))
            assert await results.manifest(KEY, f"s3://{bucket.name}/meshes/{name}/") is not None
        assert tracemalloc.get_traced_memory()[0] < 48 << 20
    finally:
        tracemalloc.stop()


async def test_a_pointer_that_drips_is_given_up(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")  # an answer before the request is an error of the connection
        writer.write(
            b"HTTP/1.1 200 OK\r\nETag: x\r\nLast-Modified: Sun, 29 Nov 2026 00:00:00 GMT\r\nContent-Length: "
            b"1000\r\n\r\n"
        )
        with suppress(ConnectionError):
            while not stopped.is_set():
                writer.write(b" ")
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), 0.05)
        writer.close()
        await writer.wait_closed()

    connections: list[asyncio.Task[None] | None] = []
    stopped = asyncio.Event()
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    async with asyncio.timeout(20):  # until all of it were here: 50 s
        with pytest.raises(UnreadableResultError, match="sends no data"):
            await Buckets(0.0, small_seconds=1.0).manifest(KEY, uri)

    stopped.set()
    await asyncio.gather(*filter(None, connections), return_exceptions=True)
    server.close()


@pytest.mark.parametrize(("start", "end"), [(0, None), (2, 5)])
async def test_an_object_of_another_size_is_not_opened(uri: str, bucket: Bucket, start: int, end: int | None) -> None:
    bucket.put(f"meshes/banana/{folder_in(bucket)}model.glb", b"another content")

    with pytest.raises(NoResultError):
        await read(uri, "model.glb", start, end)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"NAMESPACE_OUTPUTS": (("*", "s3://others/{namespace}/"),)}, "the gallery allows it only s3://others/maps/"),
        ({"STORAGE_SCHEMES": ()}, "not enabled"),
    ],
)
async def test_an_address_that_the_settings_do_not_allow_is_not_read(
    uri: str, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], text: str
) -> None:
    configure(monkeypatch, **settings)

    with pytest.raises(UnreadableResultError, match=text):
        await Results(0.0).manifest(KEY, uri)


async def test_an_error_has_the_cause_without_the_servers_address(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(UnreadableResultError, match="accepts no connections") as raised:
        await Results(0.0).manifest(KEY, uri)

    assert "127.0.0.1" not in str(raised.value)
