"""Hostile bytes: a parser of foreign data returns a value, or raises what its docstring names, in little time and memory.

An example is a valid content with some pieces replaced, or any bytes. FUZZ_SECONDS is the time for all of them; `make test-long` sets 600.
"""

from __future__ import annotations

import asyncio
import functools
import io
import json
import logging
import os
import re
import resource
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubectl_recon.errors import ReconError
from kubectl_recon.storage import downloading
from PIL import ExifTags, Image, ImageCms
from reconstruction_gallery import app
from reconstruction_gallery.files import results, uploads
from reconstruction_gallery.kube import jobs, rights, users
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web import identity, parts, sessions
from reconstruction_operator import config
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import ReusedFrom
from reconstruction_operator.broker import backlog
from reconstruction_operator.contract import announcement, envelope, preflight
from reconstruction_operator.contract.manifest import Manifest, SealedFile
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.jobfiles import layout, notes, photos
from reconstruction_operator.kube import client, parsing, reflector
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.models import exchange, stages
from reconstruction_operator.models.interface import ModelFailure, Photo, Placement, Result, StageFolder
from reconstruction_operator.models.photogrammetry import stage_files
from reconstruction_operator.models.photogrammetry.input import metadata, srgb
from reconstruction_operator.models.photogrammetry.input.photos import prepare
from reconstruction_operator.planning import validation
from reconstruction_operator.state import fields, reads
from reconstruction_operator.state import results as reports
from reconstruction_operator.transfer import unpacker, uris
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses, connection, download
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.layout import Pointer
from reconstruction_operator.transfer.photos import checks

from tests.support.archives import PHOTOS, tarred, zipped
from tests.support.jobs import NOON, make_body, make_key
from tests.support.photos import make_photo, saved
from tests.support.results import seal

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
CPU_SECONDS, MEMORY_KB = 5.0, 256 << 10  # of one example
LIMITS = replace(Limits.from_config(), max_bytes=1 << 20, max_files=50, max_pixels=40_000, max_side=1_000)
_DEEP = b"[" * 3_000 + b"]" * 3_000
_PIECES = (b"", b"\0", b"\n", b"-1", b"1e999", b"NaN", b"9" * 400, b"9" * 5_000, b"\xff" * 8, b"null", b"[]", b"{}", b'"x"',
           b'"\\ud800"', b'"0001-01-01T00:00:00+14:00"', b"..", b"%00", b"//[", b"=?", b"\xd9\xa3", b"4294967295", _DEEP)  # fmt: skip
_PIECE = st.sampled_from(_PIECES) | st.binary(max_size=8) | st.none()
_EDIT = st.tuples(st.booleans(), st.integers(0, 65_535), st.sampled_from((0, 1, 4, 64, 65_536)), _PIECE)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\w.+%-]+')


def edited(content: bytes, edits: Sequence[tuple[bool, int, int, bytes | None]]) -> bytes:
    """Replace a token, or bytes anywhere, by each piece; None doubles them."""
    for of_token, place, length, piece in edits:
        tokens = list(_TOKEN.finditer(content)) if of_token else []
        start = place % (len(content) + 1)
        start, end = tokens[place % len(tokens)].span() if tokens else (start, start + length)
        content = content[:start] + (2 * content[start:end] if piece is None else piece) + content[end:]
    return content


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    def parse(content: bytes) -> object:
        with TemporaryDirectory(dir=config.settings.JOBS_DIR) as folder:
            path = Path(folder) / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            return read(path)

    return parse


def each(error: type[Exception], *parsers: Callable[[], object]) -> None:
    for parse in parsers:
        with suppress(error):
            parse()


def delivered(content: bytes) -> None:
    Pointer.parse(content)
    Manifest.identify(content)
    if (manifest := Manifest.parse(content)) is not None:
        assert len(manifest.to_text()) > len(manifest.fingerprint)
    each(ReconError, lambda: downloading.files(SimpleNamespace(manifest=lambda: content)))  # type: ignore[arg-type]


def in_redis(content: bytes) -> None:
    text = content.decode(errors="surrogateescape")
    parsed, values = backlog._parsed(text), (text.split("\n") + [None] * 10)[:10]
    fields.load("key", values, fields.parse_record)
    fields.load("key", values[:5], fields.parse_claim, now=NOON)
    assert fields.load_end("key", ["Succeeded", values[0], text], now=NOON) is not None
    loads: Any = (preflight.Checked.of, reports._parse, reads._reported, functools.partial(reads._worker, "node"))
    for parse in loads:
        fields.load_json("key", text, parse)
    assert isinstance(backlog._id_of(parsed), str)
    TaskId.parse(text)
    each(envelope.EnvelopeError, lambda: envelope.Envelope.from_json(parsed))
    with suppress(RecursionError):
        each(ValueError, lambda: preflight.CheckRequest.from_text(text), lambda: announcement.from_text(text))


def noted(path: Path) -> None:
    notes._read(path)
    photos.read(layout.Workspace(path.parents[1]))
    path.rename(path.with_name("seal.json"))
    stages.Stages(StageFolder(path.parents[1], "key"))._maker(path.parent)


def from_the_api_server(content: bytes) -> None:
    parsing.refusal(410, content, content[:9].decode("latin-1"))
    parsing.head(content)
    follows = reflector.Reflector("/jobs", lambda change: jobs.Jobs().put(make_key(), change.body or {}))
    each(ApiError, lambda: follows.line(b'{"type":"ADDED","object":%s}' % content), lambda: follows.page(content))
    with suppress(ValueError):
        body = parsing.mapping(content)
        objects.job_of({**body, "metadata": {"managedFields": body.get("managedFields")}}, make_key())


def address(content: bytes) -> None:
    text = content.decode(errors="surrogateescape")
    assert all(validation.problems(Spec(input=Location(text), output=Location(text)), ("s3",)))
    addresses.is_public(text)
    addresses.may_be_private(text)
    each(
        StorageError,
        lambda: ObjectAddress.parse(text, "REASON"),
        lambda: uris.local_path(uris.split(text, "REASON"), "REASON"),
        lambda: connection._host_and_port(uris.split(text, "REASON"), LIMITS),
        lambda: download._length(SimpleNamespace(headers={"Content-Length": text}), text, LIMITS),  # type: ignore[arg-type]
    )


def unpacked(path: Path) -> None:
    into = path.with_name("photos")
    into.mkdir()
    request = unpacker.UnpackRequest(str(into), LIMITS.max_bytes, LIMITS.max_files)
    with path.open("rb") as file:
        each(unpacker.RefusedError, lambda: unpacker.unpack(file.fileno(), request, lambda _: None))
    assert sum(photo.stat().st_size for photo in into.iterdir()) <= LIMITS.max_bytes


def checked(path: Path) -> None:
    content = path.read_bytes()
    each(ModelFailure, lambda: prepare([Photo(path, 64, 48, 1)], path.parent, 32, lambda *_: None))
    each(
        StorageError,
        lambda: checks.check_header(io.BytesIO(content), "photo", LIMITS),
        lambda: checks.check_start(content, "photo", LIMITS, is_whole=False),
        lambda: checks.check_all([path], LIMITS, lambda *_: None),
    )


def tagged(content: bytes) -> None:
    with Image.new("RGB", (8, 8)) as image, suppress(OSError, ValueError, SyntaxError):
        image.info |= {"exif": content, "xmp": content, "icc_profile": content}
        srgb.converted(image)
        metadata.read(image)


class Server:
    """An API server that accepts everything, and has one pod with this log."""

    log = b""

    async def request(self, _method: str, path: str, *, body: Any = None, **_: Any) -> dict[str, Any]:
        assert client.encoded(body)
        pod = {"metadata": {"name": "pod", "uid": "uid"}, "spec": {"containers": [{"name": "worker"}]}}
        status = {"authenticated": True, "user": {"username": "anna"}, "allowed": True}
        return {"status": status, "items": [pod] * path.endswith("pods"), **pod}

    async def chunks(self, *_: Any) -> AsyncIterator[bytes]:
        yield self.log


@functools.cache
def gallery(folder: Path) -> tuple[Any, Server]:
    settings, server = Settings(uploads_dir=f"{folder}/uploads", upload_free_bytes=1), Server()
    api: Any = server
    store, cache = uploads.Uploads(settings), jobs.Jobs()
    store.load()
    store._uploads["up"] = uploads.Upload("default", "up", uploads.owner_of("anna"), 0)
    store.photos(store._uploads["up"]).mkdir(parents=True)
    cache.put(make_key(), make_body())
    seal(folder / "uid-banana" / "output", {"model.glb": b"glTF-mesh"}, job_id="uid-banana")
    application = app.make(settings)
    identities = identity.Identities(settings, users.Tokens(api, 60), sessions.Sessions(60))
    application.state.gallery = parts.Gallery(
        settings, api, cache, rights.Rights(api, 60), identities, results.Results(1), store
    )
    return application, server


def request(content: bytes) -> None:
    """Send a request line, headers, an empty line and the body, as uvicorn hands them over."""
    head, _, body = content.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.decode("ascii", "ignore").partition(" ")
    path, _, query = target.partition("?")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    scope = {"type": "http", "method": method, "path": unquote(path), "query_string": query.encode(), "headers": headers}
    received, statuses = [{"type": "http.request", "body": body}], []

    async def send() -> None:
        done = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not received:
                await done.wait()
            return received.pop() if received else {"type": "http.disconnect"}

        async def answer(message: dict[str, Any]) -> None:
            statuses.append(message.get("status", 200))
            if not message.get("more_body", "status" in message):
                done.set()

        async with asyncio.timeout(60):
            await gallery(Path(config.settings.JOBS_DIR))[0]({**scope, "scheme": "http"}, receive, answer)

    asyncio.run(send())
    assert statuses[0] < 500


def log_in_the_gallery(content: bytes) -> None:
    gallery(Path(config.settings.JOBS_DIR))[1].log = content
    request(b"GET " + _JOB + b"/log" + _USER)


def result_in_the_gallery(content: bytes) -> None:
    gallery(folder := Path(config.settings.JOBS_DIR))
    (folder / "uid-banana" / "output" / "manifest.json").write_bytes(content)
    for path in (b"", b"/files/model.glb"):
        request(b"GET " + _JOB + path + _USER)


def exif() -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Orientation] = "Maker", 6
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 28
    tags.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 30.0, 58.68), 3: "E", 4: (13.0, 22.0, 39.72), 6: 71.5})
    return tags.tobytes()


def sparse() -> bytes:
    file, names = io.BytesIO(), {"names": ["0.jpg"], "left_out": [["1.jpg", "NO_MATCHES"]]}
    camera = {"sizes": [[64, 48]], "intrinsics": [[1, 1, 1, 1]], "rotations": [np.eye(3)], "translations": [[0, 0, 0]]}
    seen = {"seen": [0], "seen_counts": [1], "pixels": [[1, 2]], "points": [[0, 0, 0]], "reprojection_error_px": 0.5}
    np.savez(file, **names, **camera, **seen)  # type: ignore[arg-type]
    return file.getvalue()


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


_USER, _JOB = b"\nAuthorization: Bearer t\nContent-Type: application/json\n", b"/api/namespaces/default/jobs/banana"
_UPLOAD = b"/api/namespaces/default/uploads/up"
REQUESTS = (
    b"GET " + _JOB + b"/files/model.glb?download" + _USER + b'Range: bytes=0-3\nIf-Range: "x"\nIf-None-Match: "y"',
    b"POST " + _JOB + b"/actions" + _USER + b'\n{"action":"request-cancel","uid":"uid-banana","reason":"why"}',
    b"POST /api/session\nOrigin: http://gallery\nHost: gallery" + _USER + b'\n{"token":"t"}',
    b"DELETE /api/session\nCookie: gallery=x; b=c" + _USER,
    b"PUT " + _UPLOAD + b"/photos/a.jpg" + _USER + b"\n\xff\xd8\xff and the rest",
    b"POST " + _UPLOAD + b"/job" + _USER + b'\n{"name":"a","spec":{"parameters":{"a":[1.5]}}}',
)
OWNER = Owner("uid-banana", "install", "maps", "banana", "celery", 1)
MANIFEST = Manifest(
    OWNER.job_id, "task", "model", attempt=1, quality={"images": "12"}, placement={"latitude": 5.5}, owner=OWNER,
    parameters={"faces": [1, {"a": 2.5}]}, steps={"Loading": 1.5}, cpu_seconds=2.5, reused_from=ReusedFrom("uid-0", 1, NOON),
    files=(SealedFile("model.glb", 9, "a" * 64), SealedFile("previews/front.png", 3, "a" * 64)),
).to_text().encode()  # fmt: skip
CONDITION = {"type": "A", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
BODY = make_body(
    spec={"output": {"uri": "s3://b/a"}, "parameters": {"a": [1, "x"]}, "cancelRequested": True},
    phase="Running", outputs={"files": [{"name": "a.png", "bytes": 1}]}, conditions=[CONDITION],
)  # fmt: skip
MANAGED = [{"time": "2026", "manager": "k", "fieldsV1": {"f:spec": {"f:cancelRequested": {}}}}]
PLACED = Result({"faces": 12}, simulated=False, warning="", placement=Placement(52.5, 13.4, 71.5, 2.0, (1.0, 0.0)))
MESSAGES = (b'{"kind":"progress","step":3,"fraction":0.5,"message":"m","remaining":3}', exchange.encode(PLACED),
            exchange.encode(exchange.ExitMessage(-9, 1.5)))  # fmt: skip
PROGRESS = {"stepIndex": 2, "progress": 40.5, "startedAt": 1.7e9, "seconds": [1, 2], "images": 3, "remaining": 9}
IN_REDIS = (
    b"1\ncelery\ni\nmaps\nbanana\n1767225600000\n0\n1",
    dumped({"verdict": "Usable", "token": "t", "status": "PROGRESS", "result": PROGRESS, "headers": {"id": "a"}}),
    dumped({"queues": ["celery"], "models": ["a"], "concurrency": 2, "attempt": 1, "queue": "celery"}),
    dumped({"inputs": {"images": 3}, "outputs": {"files": [{"name": "a", "bytes": 1}]}, "quality": {"a": 1}}),
    dumped(envelope.Envelope(attempt=2, input_uri="file:///a", parameters={"a": 1}).to_json()),
    b'{"jobId":"a","token":"t","installId":"i","namespace":"n","model":"m","uri":"u","parameters":{"a":1}}',
    b'{"photogrammetry":{"version":"1","parameters":{"type":"object"},"simulated":false}}',
)
NOTES = (
    dumped({**OWNER.to_json(), "outputUri": "s3://b/a", "published": True}),
    dumped({"digest": "d", "etag": "e", "photos": [["a.jpg", 64, 48, 9, "a" * 64]]}),
    dumped({"version": 1, "stage": "loaded", "key": "key", "attempt": 1, "files": []}),
)
SPECIAL = (("CMYK", "JPEG"), ("I;16", "PNG"), ("RGB", "TIFF"))
PICTURES = [make_photo(kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
PICTURES += [saved(Image.new(mode, (64, 48)), kind, exif=exif()) for mode, kind in SPECIAL]
URIS = (b"s3://bucket/a%20b/", b"https://u@host:443/a.zip?x=1", b"file:///a", b"::ffff:1.2.3.4")
LOG = b'2026-01-01T00:00:00Z {"level":"INFO","message":"uid-banana"}\n2026-01-01T00:00:01Z uid-banana text\n'
XMP, ICC = b'<x drone-dji:GimbalPitchDegree="-89.90"/>', ImageCms.ImageCmsProfile(srgb._SRGB).tobytes()
CASES = {
    "results": (delivered, (MANIFEST, Pointer("uid-1", 1, "uid-1/1-0123456789abcdef/").to_bytes())),
    "values of Redis": (in_redis, IN_REDIS),
    "notes in job folders": (in_file("loaded/photos.json", noted), NOTES),
    "cameras of a stage": (
        in_file("a", lambda path: each(ValueError, lambda: stage_files.read_sparse(path))), (sparse(),)),
    "messages of a model": (exchange.decode, MESSAGES),
    "objects": (from_the_api_server, (dumped(BODY | {"managedFields": MANAGED}),)),
    "addresses and sizes": (address, URIS),
    "archives": (in_file("a", unpacked), (zipped(*PHOTOS), tarred(*PHOTOS))),
    "photos": (in_file("a.jpg", checked), PICTURES),
    "EXIF, XMP and profiles": (tagged, (exif(), XMP, ICC)),
    "requests to the gallery": (request, REQUESTS),
    "results in the gallery": (result_in_the_gallery, (MANIFEST,)),
    "logs in the gallery": (log_in_the_gallery, (LOG,)),
}  # fmt: skip


@pytest.mark.hypothesis
@pytest.mark.filterwarnings("ignore")  # of decoders
@pytest.mark.parametrize(("read", "valid"), CASES.values(), ids=CASES)
def test_hostile_bytes_raise_only_what_a_parser_names(
    read: Callable[[bytes], object], valid: Sequence[bytes], jobs_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # records would fill the memory

    def parse(content: bytes) -> None:
        cpu_seconds, peak_kb = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        read(content)
        assert time.process_time() - cpu_seconds < CPU_SECONDS
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < MEMORY_KB

    for content in valid:
        read(content)  # imports what it needs
    fuzz = given(content=st.builds(edited, st.sampled_from(valid), st.lists(_EDIT, min_size=1, max_size=4)) | st.binary())(parse)
    fuzz()
    until = time.monotonic() + SECONDS / len(CASES)
    while time.monotonic() < until:
        fuzz()
