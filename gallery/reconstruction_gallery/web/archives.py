"""Archive route: a whole result, or its OBJ with what that names, as one ZIP, written while it is sent, so that it
needs neither memory nor disk.

Files are stored without compression: meshes and pictures hardly shrink. Each digest is verified; if one differs, the
download is aborted, so that the client sees that it is incomplete.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
import zipfile
from collections.abc import AsyncGenerator, Mapping
from typing import Final
from urllib.parse import quote

from reconstruction_operator.contract.manifest import SealedFile, local_names
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconstruction_gallery.files.opened import UnreadableResultError, is_plain
from reconstruction_gallery.files.results import Results
from reconstruction_gallery.kube.jobs import Job
from reconstruction_gallery.web.parts import requested_job
from reconstruction_gallery.web.responses import HoldingResponse

_ZIP64_BYTES: Final = 1 << 31
_OF_OBJ: Final = re.compile(r"\.(obj|mtl)$|_texture\.png$")
_MODE: Final = 0o644 << 16


async def _archive(request: Request) -> Response:
    gallery, user, job = await requested_job(request)
    manifest = await gallery.results.manifest(job.key, job.delivered_to)
    # Only files that can be unpacked on every system, each once
    files = {file.name: file for file in manifest.files if is_plain(file.name)} if manifest else {}
    if not files:
        raise HTTPException(404, f"{job.key.name} has no result")
    saved = job.key.name
    if (chosen := request.query_params.get("format")) is not None:
        files = {name: file for name, file in files.items() if chosen == "obj" and _OF_OBJ.search(name)}
        saved += "-obj"
        if not any(name.endswith(".obj") for name in files):
            raise HTTPException(404, f"{job.key.name} has no files in the format {chosen:.20}")
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(saved)}.zip",
        "Content-Type": "application/zip",
    }
    return HoldingResponse(
        _zipped(gallery.results, job, files), gallery.downloads_of(request).archives.slot(user), 200, headers
    )


async def _zipped(results: Results, job: Job, files: Mapping[str, SealedFile]) -> AsyncGenerator[bytes, None]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, saved in local_names(files, job.key.name).items():
            sealed = files[name]
            entry = zipfile.ZipInfo(f"{job.key.name}/{saved}", time.gmtime()[:6])
            entry.external_attr = _MODE
            opened = await results.open(job.key, job.delivered_to, name)
            digest = hashlib.sha256()
            try:
                with archive.open(entry, "w", force_zip64=sealed.bytes >= _ZIP64_BYTES) as writer:
                    async for piece in await opened.read(0, sealed.bytes):
                        digest.update(piece)
                        writer.write(piece)
                        yield sink.taken()
            finally:
                opened.close()
            if digest.hexdigest() != sealed.sha256:
                raise UnreadableResultError(f"{name} of {job.key} differs from its digest in the manifest")
    yield sink.taken()


class _Sink(io.BytesIO):
    """A buffer for what zipfile writes."""

    def tell(self) -> int:
        raise io.UnsupportedOperation

    def taken(self) -> bytes:
        """Return and remove the bytes written since the last call."""
        content = self.getvalue()
        self.seek(0)
        self.truncate()
        return content


_PATHS: Final = ("/api/namespaces/{namespace}/jobs/{name}/result.zip", "/api/shared/{token}/result.zip")
ROUTES = [Route(path, _archive, methods=["GET"]) for path in _PATHS]
