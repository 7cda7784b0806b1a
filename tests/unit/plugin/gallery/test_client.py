"""Gallery client: a gallery that is not one, or not an honest one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubectl_recon.gallery.client import Gallery, GalleryError
from kubectl_recon.kube.api import Api

from tests.support.plugin import job

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server


@pytest.mark.parametrize(
    "body", [b"<html>", b"[" * 200_000, b" " * (8 << 20) + b"{}"], ids=["a-page", "nested", "large"]
)
def test_a_response_that_cannot_be_a_jobs_json_is_an_error(body: bytes, api: Api, server: Server) -> None:
    server.put(200, body)
    with pytest.raises(GalleryError, match="does not respond with JSON"):
        Gallery(api.server, "token").result(job()).manifest()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(307, r"leads to http://other\.example\.com/, where nothing was sent"), (200, "no session")],
)
def test_a_gallery_that_leads_elsewhere_or_starts_no_session_is_an_error(
    status: int, expected: str, api: Api, server: Server
) -> None:
    server.put(status, {})
    with pytest.raises(GalleryError, match=expected):
        Gallery(api.server, "token").cookie()
