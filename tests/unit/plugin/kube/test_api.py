from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from kubectl_recon.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthorizedError,
    UnreachableError,
)
from kubectl_recon.kube.api import Api

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server


def test_a_list_is_read_page_by_page(api: Api, server: Server) -> None:
    server.put(200, {"items": [{"a": 1}], "metadata": {"continue": "next", "resourceVersion": "7"}})
    server.put(200, {"items": [{"a": 2}], "metadata": {"resourceVersion": "7"}})
    assert api.items("/apis/x", labelSelector="set=a b", fieldSelector=None) == ([{"a": 1}, {"a": 2}], "7")
    assert [path for _, path, _ in server.asked] == [
        "/apis/x?limit=500&labelSelector=set%3Da+b",
        "/apis/x?limit=500&continue=next&labelSelector=set%3Da+b",
    ]


def test_a_large_list_is_compressed(api: Api, server: Server) -> None:
    items = [{"metadata": {"name": f"job-{number}"}, "status": {"message": "x" * 300}} for number in range(500)]
    server.put(200, {"items": items, "metadata": {"resourceVersion": "7"}})
    assert api.items("/apis/x") == (items, "7")
    assert server.sent_bytes[0] < len(json.dumps(items)) / 10


def test_every_request_has_the_token_and_names_the_program(api: Api, server: Server) -> None:
    server.put(200, {})
    api.get("/version")
    assert server.headers[0]["authorization"] == "Bearer s3cret"
    assert server.headers[0]["User-Agent"].startswith("kubectl-recon/")


@pytest.mark.parametrize(("behind", "ahead"), [(600.0, 600), (-600.0, -600), (1.0, 0)])
def test_the_difference_to_the_servers_clock_is_measured(api: Api, server: Server, behind: float, ahead: float) -> None:
    assert abs((api.now() - datetime.now(UTC)).total_seconds()) < 1
    server.behind_seconds = behind
    server.put(200, {})
    api.get("/version")
    assert abs(api.clock_ahead_seconds - ahead) < 3
    assert abs((datetime.now(UTC) - api.now()).total_seconds() - ahead) < 3


def test_a_change_has_the_programs_field_manager(api: Api, server: Server) -> None:
    server.put(200, {"kind": "X"})
    assert api.merge("/apis/x/y", {"spec": {"suspend": True}}) == {"kind": "X"}
    method, path, body = server.asked[0]
    assert (method, path, json.loads(body)) == (
        "PATCH",
        "/apis/x/y?fieldManager=kubectl-recon",
        {"spec": {"suspend": True}},
    )
    assert server.headers[0]["Content-Type"] == "application/merge-patch+json"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, InvalidError),
        (418, ApiError),
    ],
)
def test_an_error_has_the_servers_message(api: Api, server: Server, status: int, kind: type[ApiError]) -> None:
    server.put(status, {"kind": "Status", "message": "no, because"})
    with pytest.raises(kind, match="no, because") as caught:
        api.get("/apis/x")
    assert caught.value.status == status


def test_an_error_without_a_message_has_the_servers_text(api: Api, server: Server) -> None:
    server.put(404, b"page not found\n")
    with pytest.raises(NotFoundError, match=r"^page not found$"):
        api.get("/apis/x")


def test_a_server_that_is_not_a_kubernetes_api_server_is_reported(api: Api, server: Server) -> None:
    server.put(200, b"<html>")
    with pytest.raises(UnreachableError, match="does not respond with JSON: is it a Kubernetes API server"):
        api.get("/apis/x")


def test_a_get_is_retried_while_the_server_is_busy(api: Api, server: Server) -> None:
    server.put(503, {"message": "busy"})
    server.put(429, {"message": "later"})
    server.put(200, {"fine": True})
    assert api.get("/apis/x") == {"fine": True}


def test_a_change_is_not_retried_after_a_server_error(api: Api, server: Server) -> None:
    server.put(503, {"message": "busy"})
    with pytest.raises(ApiError, match="busy"):
        api.merge("/apis/x/y", {})
    assert len(server.asked) == 1


def test_the_last_line_needs_no_newline(api: Api, server: Server) -> None:
    server.put(200, b"one\ntwo\nthree")
    with api.lines("/log") as lines:
        assert list(lines) == [b"one", b"two", b"three"]
