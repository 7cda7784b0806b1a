"""Hostile bytes: a parser of foreign data returns a value, or raises what its docstring names, in little time and
memory.

An example is a valid content with some pieces replaced, or any bytes. FUZZ_SECONDS is the time for all of them; `make
test-long` sets 600.
"""

from __future__ import annotations

import asyncio
import functools
import io
import logging
import os
import re
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms
from reconstruction_gallery.files.uploads import Owner, Upload, Uploads
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.settings import Settings
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.broker import backlog
from reconstruction_operator.contract import announcement, envelope, preflight
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.jobfiles import notes, photos
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.kube import parsing, reflector
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.models import exchange, seals
from reconstruction_operator.models.interface import ModelFailure, Photo
from reconstruction_operator.models.photogrammetry.input import metadata
from reconstruction_operator.models.photogrammetry.input.photos import prepare, to_srgb
from reconstruction_operator.models.photogrammetry.sparse import model_file
from reconstruction_operator.planning import validation
from reconstruction_operator.state import fields, reads, results
from reconstruction_operator.transfer import errors, unpacker, uris
from reconstruction_operator.transfer.https import connection, download
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.objects import address, layout
from reconstruction_operator.transfer.photos import checks

from tests.support.archives import PHOTOS, tarred, zipped
from tests.support.engine.geometry import QUIET
from tests.support.gallery import Server, make_gallery
from tests.support.jobs import NOON, make_key
from tests.support.photos import make_photo, saved, write_clip
from tests.support.results import seal

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
CPU_SECONDS, MEMORY_KB = 5.0, 256 << 10  # of one example
LIMITS = replace(Limits.from_config(), max_bytes=1 << 20, max_files=50, max_pixels=40_000, max_side=1_000)
_DEEP = b"[" * 3_000 + b"]" * 3_000
_PIECES = (
    b"",
    b"\0",
    b"\n",
    b"-1",
    b"1e999",
    b"NaN",
    b"9" * 400,
    b"9" * 5_000,
    b"\xff" * 8,
    b"null",
    b"[]",
    b"{}",
    b'"x"',
    b'"\\ud800"',
    b'"0001-01-01T00:00:00+14:00"',
    b"..",
    b"%00",
    b"//[",
    b"=?",
    b"\xd9\xa3",
    b"4294967295",
    _DEEP,
)
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


def each(error: type[Exception], *parsers: Callable[[], object]) -> None:
    for parse in parsers:
        with suppress(error):
            parse()


def delivered(content: bytes, _: Path) -> None:
    layout.Pointer.parse(content)
    Manifest.identify(content)
    if (manifest := Manifest.parse(content)) is not None:
        assert len(manifest.to_text()) > len(manifest.recipe)


def in_redis(content: bytes, _: Path) -> None:
    text = content.decode(errors="surrogateescape")
    parsed = backlog._parsed(text)
    count = len(fields.JOB_FIELDS)
    values = [*text.split("\n"), *[None] * count][:count]
    job = fields.load_job("key", values)
    fields.parse_record("uid-banana", job)
    fields.parse_claim(job, NOON)
    end = dict.fromkeys(fields.JOB_FIELDS) | {"outcome": "Succeeded", "ended_at": values[0], "details": text}
    assert fields.parse_end(end, "key", NOON) is not None
    of_names = (functools.partial(read, "uid-banana") for read in (reads._reported, reads._worker))
    for parse in (preflight.Checked.of, results._parse, *of_names):
        fields.load_json("key", text, parse)
    assert isinstance(backlog._id_of(parsed), str)
    each(envelope.EnvelopeError, lambda: envelope.Envelope.from_json(parsed, "uid-banana"))
    with suppress(RecursionError):
        each(ValueError, lambda: preflight.CheckRequest.from_text(text), lambda: announcement.from_text(text))


def noted(_: bytes, folder: Path) -> None:
    notes._read(folder / "content")
    (loaded := folder / "loaded").mkdir()
    photos.read(Workspace((folder / "content").rename(loaded / "photos.json").parents[1]))
    (loaded / "photos.json").rename(loaded / seals.SEAL)
    seals.read(loaded)


def from_the_api_server(content: bytes, _: Path) -> None:
    parsing.refusal(410, content, content[:9].decode("latin-1"))
    follows = reflector.Reflector("/jobs", lambda change: Jobs().put(make_key(), change.body or {}))
    each(ApiError, lambda: follows.line(b'{"type":"ADDED","object":%s}' % content), lambda: follows.page(content))
    body: Mapping[str, Any] = {}
    with suppress(ValueError):
        body = parsing.mapping(content)
    objects.job_of({**body, "metadata": {"managedFields": body.get("managedFields")}}, make_key())


def located(content: bytes, _: Path) -> None:
    text = content.decode(errors="surrogateescape")
    assert all(validation.problems(Spec(input=Location(text), output=Location(text)), ("s3",)))
    answer: Any = SimpleNamespace(headers={"Content-Length": text})
    each(
        errors.StorageError,
        lambda: address.ObjectAddress.parse(text, "REASON"),
        lambda: uris.local_path(uris.split(text, "REASON"), "REASON"),
        lambda: connection._host_and_port(uris.split(text, "REASON"), LIMITS),
        lambda: download._length(answer, text, LIMITS),
    )


def unpacked(_: bytes, folder: Path) -> None:
    (into := folder / "photos").mkdir()
    wanted = unpacker.UnpackRequest(str(into), LIMITS.max_bytes, LIMITS.max_files)
    with (folder / "content").open("rb") as file:
        each(unpacker.RefusedError, lambda: unpacker.unpack(file.fileno(), wanted, lambda _: None))
    assert sum(path.stat().st_size for path in into.iterdir()) <= LIMITS.max_bytes


def photo(content: bytes, folder: Path) -> None:
    path = folder / "content"
    each(ModelFailure, lambda: prepare([Photo(path, 64, 48, 1)], folder, 32, threads=1, progress=QUIET))
    each(
        errors.StorageError,
        lambda: checks.check_header(io.BytesIO(content), "photo", LIMITS),
        lambda: checks.check_start(content, "photo", LIMITS, is_whole=False),
        lambda: checks.check_all([path], LIMITS, lambda *_: None),
    )


def tagged(content: bytes, _: Path) -> None:
    with Image.new("RGB", (8, 8)) as image, suppress(OSError, ValueError, SyntaxError):
        image.info |= {"exif": content, "xmp": content, "icc_profile": content}
        to_srgb(image)
        metadata.read(image)


@functools.cache
def gallery(folder: Path) -> tuple[Any, Server]:
    settings = Settings(uploads_dir=f"{folder}/uploads", upload_free_bytes=1)
    cache = Jobs()
    server = Server(["default"])
    uploads = Uploads(settings)
    upload = Upload("default", "up", Owner.of("anna", "anna"), 0)
    uploads.load()
    uploads.photos(upload).mkdir(parents=True)
    uploads._uploads[upload.id] = upload
    cache.put(make_key(), parsing.mapping(BODY))
    seal(folder / "uid-banana" / "output", {"model.glb": b"glTF-mesh"})
    return make_gallery(server, cache, settings, uploads), server


def request(content: bytes, folder: Path) -> None:
    """Send a request line, headers, an empty line and the body, as uvicorn hands them over.

    A response with status 500 raises its cause.
    """
    head, _, body = content.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method, _, target = first.decode("ascii", "ignore").partition(" ")
    path, _, query = target.partition("?")
    scope = {"type": "http", "scheme": "http", "method": method, "path": unquote(path), "query_string": query.encode()}
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    bodies = [{"type": "http.request", "body": body}]

    async def receive() -> Any:
        return bodies.pop() if bodies else await asyncio.Event().wait()  # the connection stays open

    answered = gallery(folder.parent)[0]({**scope, "headers": headers}, receive, lambda _: asyncio.sleep(0))
    asyncio.run(asyncio.wait_for(answered, 60))


def shown_in_the_gallery(content: bytes, folder: Path) -> None:
    gallery(folder.parent)[1].log = content
    (folder.parent / "uid-banana" / "output" / "manifest.json").write_bytes(content)
    for path in (b"/log", b"", b"/files/model.glb"):
        request(b"GET " + _JOB + path + _USER, folder)


def exif() -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Orientation] = "Maker", 6
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 28
    tags.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 30.0, 58.68), 3: "E", 4: (13.0, 22.0, 39.72), 6: 71.5})
    return tags.tobytes()


def sparse() -> bytes:
    names = {"names": ["0.jpg"], "left_out": [["1.jpg", "NO_MATCHES"]]}
    camera = {"sizes": [[64, 48]], "intrinsics": [[1, 1, 1, 1]], "rotations": [np.eye(3)], "translations": [[0, 0, 0]]}
    seen = {"seen": [0], "seen_counts": [1], "pixels": [[1, 2]], "points": [[0, 0, 0]], "reprojection_error_px": 0.5}
    np.savez(file := io.BytesIO(), **names, **camera, **seen)
    return file.getvalue()


_USER, _JOB = b"\nAuthorization: Bearer t\nContent-Type: application/json\n", b"/api/namespaces/default/jobs/banana"
ATTEMPT = (
    b'{"job":{"namespace":"default","name":"banana","uid":"uid-banana","installId":"i"},"number":2,"queue":"celery"}'
)
NOTE = b'{"attempt":%s,"outputUri":"s3://b/a"}' % ATTEMPT
MANIFEST = (
    b"""{"version":1,"attempt":%s,"model":"m","simulated":false,
"parameters":{"a":[1,{"b":2.5}]},
"versions":{"model":"1"},"steps":[{"name":"Loading","seconds":1}],"usage":{"cpuSeconds":2,"peakMemoryBytes":9},"inputs":{"images":3},
"quality":{"a":"12"},"size":"1 m",
"placement":{"latitude":5.5},"uri":"","retainSeconds":9,
"reusedFrom":{"uid":"a","attempt":1,"completionTime":"2026-01-01T00:00:00Z"},
"files":[{"name":"model.glb","bytes":9,"sha256":"5e5e"},{"name":"previews/front.png","bytes":3,"sha256":"5e5e"}]}"""
    % ATTEMPT
)
BODY = b"""{"metadata":{"namespace":"default","name":"banana","uid":"uid-banana","resourceVersion":"7",
"creationTimestamp":"2026-03-01T12:00:00Z"},
"spec":{"modelType":"m","input":{"uri":"file:///a"},"output":{"uri":"s3://b/a"},"parameters":{"a":[1,"x"]},
"cancelRequested":true},
"status":{"phase":"Running","startTime":"2026-01-01T00:00:00Z","outputs":{"files":[{"name":"a.png","bytes":1}]},
"conditions":[{"type":"A"}]},
"managedFields":[{"time":"2026","manager":"k","fieldsV1":{"f:spec":{"f:cancelRequested":{}}}}]}"""
RESULT = (
    b'{"kind":"result","quality":{"faces":12},"simulated":false,"warning":"","placement":'
    b'{"latitude":52.5,"longitude":13.4,"altitude":71.5,"metres_per_unit":2.0,"rotation":[1.0,0.0]}}'
)
LOG = b'2026-01-01T00:00:00Z {"level":"INFO","message":"uid-banana"}\n2026-01-01T00:00:01Z uid-banana text\n'
_DAY, _EARLY = b"2026-01-01T00:00:00Z", b"0001-01-01T00:00:00+14:00"
CASES: dict[str, tuple[Any, ...]] = {  # a parser, valid contents, and contents for which it once raised another error
    "results": (
        delivered,
        MANIFEST,
        b'{"jobId":"u","attempt":1,"folder":"u/1-0123456789abcdef/"}',
        MANIFEST.replace(_DAY, _EARLY),
    ),
    "values of Redis": (
        in_redis,
        b"1\ncelery\ni\nmaps\nbanana\n1767225600000\n0\n1",
        (
            b'{"usability":"Usable","token":"t","headers":{"id":"a"},"status":"PROGRESS","result":{"progress":40.5,'
            b'"startedAt":1.7e9,"seconds":[1]}}'
        ),
        b'{"queues":["celery"],' + ATTEMPT[1:],
        (
            b'{"inputs":{"images":3},"outputs":{"files":[{"name":"a","bytes":1}]},"quality":{"a":1},'
            b'"steps":[{"name":"a","seconds":1}]}'
        ),
        b'{"version":1,"attempt":%s,"inputUri":"file:///a","parameters":{"a":1},"orders":{"last":false}}' % ATTEMPT,
        b'{"job":{"namespace":"n","name":"a","uid":"a"},"token":"t","model":"m","uri":"u","parameters":{"a":1}}',
        b'{"photogrammetry":{"version":"1","parameters":{"type":"object"},"simulated":false}}',
    ),
    "notes in job folders": (
        noted,
        NOTE,
        (
            b'{"digest":"d","etag":"e","photos":[{"path":"a.jpg","width":64,"height":48,"bytes":9}],'
            b'"sha256":{"a.jpg":"digest"}}'
        ),
        b'{"digest":"d","photos":[{"path":"a","width":1e999,"height":1,"bytes":1}],"sha256":{}}',
        b'{"version":1,"stage":"loaded","key":"key","attempt":1,"files":[]}',
        b'{"version":1,"stage":"loaded","key":"key","attempt":1e999,"files":[]}',
    ),
    "cameras of a stage": (
        lambda _, folder: each(
            ValueError, lambda: model_file.read((folder / "content").rename(folder / "sparse.npz").parent)
        ),
        sparse(),
        b"",
    ),
    "messages of a model": (
        lambda content, _: exchange.decode(content),
        RESULT,
        b'{"kind":"exit","code":-9,"cpu_seconds":1.5}',
        b'{"kind":"progress","step":3,"fraction":0.5,"message":"m","remaining_seconds":3}',
    ),
    "objects": (from_the_api_server, BODY, BODY.replace(_DAY, _EARLY), BODY.replace(b'"7"', b'"%s"' % (b"9" * 5_000))),
    "addresses and sizes": (
        located,
        b"s3://bucket/a%20b/",
        b"https://u@host:443/a.zip?x=1",
        b"file:///a",
        b"::1.2.3.4",
        b"9" * 400,
    ),
    "archives": (unpacked, zipped(*PHOTOS), tarred(*PHOTOS)),
    "photos": (
        photo,
        *(make_photo(kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF")),
        *(saved(Image.new(mode, (64, 48)), kind, exif=exif()) for mode, kind in (("CMYK", "JPEG"), ("RGB", "TIFF"))),
    ),
    "videos": (
        lambda _, folder: each(
            errors.StorageError,
            lambda: checks.check_all([(folder / "content").rename(folder / "a.mov")], LIMITS, lambda *_: None),
        ),
        write_clip(Path(mkdtemp()) / "a.mov", range(9)).read_bytes(),
    ),
    "EXIF, XMP and profiles": (
        tagged,
        exif(),
        b"MM\0*",
        b'<x drone-dji:GimbalPitchDegree="-89.90"/>',
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ),
    "requests to the gallery": (
        request,
        b"GET " + _JOB + b"/files/model.glb?download" + _USER + b'Range: bytes=0-3\nIf-Range: "x"\nIf-None-Match: "y"',
        b"POST " + _JOB + b"/actions" + _USER + b'\n{"action":"request-cancel","uid":"uid-banana","reason":"why"}',
        b"POST /api/session\nOrigin: http://gallery\nHost: gallery" + _USER + b'\n{"token":"t"}',
        b"POST /api/session\nOrigin: http://[" + _USER + b'\n{"token":"t"}',
        b"DELETE /api/session\nCookie: gallery=x; b=c" + _USER,
        b"PUT /api/namespaces/default/uploads/up/photos/a.jpg" + _USER + b"\n\xff\xd8\xff and the rest",
        b"POST /api/namespaces/default/uploads/up/job" + _USER + b'\n{"name":"a","spec":{"parameters":{"a":[1.5]}}}',
    ),
    "results and logs in the gallery": (
        shown_in_the_gallery,
        MANIFEST,
        MANIFEST.replace(b"5.5", b"NaN"),
        MANIFEST.replace(b"5e5e", b"\\ud800"),
        LOG,
        LOG.replace(b"INFO", b"\\ud800"),
    ),
}


@pytest.mark.long
@pytest.mark.hypothesis
@pytest.mark.filterwarnings("ignore")  # of decoders
@pytest.mark.parametrize("case", CASES)
def test_hostile_bytes_raise_only_what_a_parser_names(
    case: str, jobs_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # records would fill the memory
    read, *contents = CASES[case]

    def parse(content: bytes) -> None:
        cpu_seconds = time.process_time()
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with TemporaryDirectory(dir=jobs_dir) as folder:
            (Path(folder) / "content").write_bytes(content)
            read(content, Path(folder))
        assert time.process_time() - cpu_seconds < CPU_SECONDS
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < MEMORY_KB

    for content in contents:
        parse(content)
    examples = st.builds(edited, st.sampled_from(contents), st.lists(_EDIT, max_size=4)) | st.binary()
    fuzz = settings(derandomize=not SECONDS)(given(examples)(parse))  # `make test` runs the same ones each time
    fuzz()
    until = time.monotonic() + SECONDS / len(CASES)
    while time.monotonic() < until:
        fuzz()
