from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kubectl_recon.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeconfigError,
    NotFoundError,
    UnreachableError,
    UsageError,
)
from kubectl_recon.gallery.reaching import Way, token
from kubectl_recon.kube.api import Api, connect
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.access import context_names

from tests.support.plugin import write_kubeconfig

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server


def deep(name: str) -> bytes:
    """An object whose managed fields are nested deeper than any parser follows."""
    metadata = f'"namespace": "team", "name": "{name}", "uid": "u", "managedFields": {"[" * 9_994}{"]" * 9_994}'
    return f'{{"metadata": {{{metadata}}}, "spec": {{"modelType": "placeholder"}}}}'.encode()


def test_an_object_that_is_nested_too_deep_is_listed_with_the_others(
    api: Api, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    listed = b'{"metadata": {"resourceVersion": "7"}, "items": [%s, {"a": 1}]}' % deep("hostile")
    server.answers += [(200, listed), (200, listed), (200, deep("hostile"))]

    assert [api.items("/apis/x")[0]["spec"], api.items("/apis/x")[1]] == [{"modelType": "placeholder"}, {"a": 1}]
    assert api.get("/apis/x/hostile")["spec"] == {"modelType": "placeholder"}

    assert list(api.cut) == ["team/hostile"]
    assert [record.getMessage().partition(" is nested")[0] for record in caplog.records] == ["team/hostile"]


def test_a_page_with_too_many_bytes_is_requested_again_with_fewer_objects(api: Api, server: Server) -> None:
    server.put(200, b'{"metadata": {}, "items": [' + b" " * (9 << 20) + b"]}")
    server.put(200, {"items": [{"a": 1}], "metadata": {}})

    assert api.items("/apis/x") == [{"a": 1}]

    assert [path for _, path, _ in server.asked] == ["/apis/x?limit=50", "/apis/x?limit=12"]


def test_a_large_list_is_compressed(api: Api, server: Server) -> None:
    items = [{"metadata": {"name": f"job-{number}"}, "status": {"message": "x" * 300}} for number in range(500)]
    server.put(200, {"items": items, "metadata": {"resourceVersion": "7"}})
    assert api.items("/apis/x") == items
    assert server.sent_bytes[0] < len(json.dumps(items)) / 10


def test_every_request_has_the_token_and_names_the_program(api: Api, server: Server) -> None:
    server.put(200, {})
    api.get("/version")
    assert server.headers[0]["Authorization"] == "Bearer s3cret"
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
        (401, ApiError),
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


def test_a_list_that_is_none_is_reported(api: Api, server: Server) -> None:
    server.answers += [(200, b"<html>")] * 4
    with pytest.raises(UnreachableError, match="the response is not a list"):
        api.items("/apis/x")


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


def test_the_default_namespace_is_the_contexts(tmp_path: Path) -> None:
    file = str(write_kubeconfig(tmp_path, namespace="team"))
    assert connect(kubeconfig=file).namespace == "team"
    assert connect(kubeconfig=file, namespace="other").namespace == "other"
    assert connect(kubeconfig=str(write_kubeconfig(tmp_path, name="plain"))).namespace == "default"


def test_several_files_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [write_kubeconfig(tmp_path, port, name=name) for port, name in ((1, "first"), (2, "second"))]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    assert context_names() == ["first", "second"]
    assert connect(context="second").api.server == "http://127.0.0.1:2"
    assert connect().context == "first"


def test_an_unknown_context_is_rejected_with_the_known_ones(tmp_path: Path) -> None:
    file = str(write_kubeconfig(tmp_path))
    with pytest.raises(KubeconfigError, match='there is no context "prod"; available: here'):
        connect(context="prod", kubeconfig=file)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"contexts": []}', "just text"])
def test_a_file_that_is_not_a_kubeconfig_is_reported(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config"
    file.write_text(content)
    with pytest.raises(KubeconfigError, match=f"the kubeconfig {file} cannot be used: "):
        connect(kubeconfig=str(file))


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_token_of_an_exec_plugin_is_used(tmp_path: Path, version: str) -> None:
    api_version = f"client.authentication.k8s.io/{version}"
    answer = {"apiVersion": api_version, "kind": "ExecCredential", "status": {"token": "from-plugin"}}
    plugin = {"apiVersion": api_version, "command": "echo", "args": [json.dumps(answer)], "interactiveMode": "Never"}
    connection = connect(kubeconfig=str(write_kubeconfig(tmp_path, user={"exec": plugin})))
    assert connection.api.token() == "from-plugin"


def test_a_gallery_needs_an_account_for_a_user_without_a_token(tmp_path: Path) -> None:
    file = write_kubeconfig(tmp_path, user={"username": "me", "password": "s3cret"})
    with pytest.raises(UsageError, match="use a service account of yours with --account"):
        token(connect(kubeconfig=str(file)), Way())


@pytest.mark.parametrize(
    "answer", [b"404 page not found\n", b'{"message": "the server could not find the requested resource"}']
)
def test_a_missing_crd_is_named_as_such(api: Api, server: Server, answer: bytes) -> None:
    server.put(404, answer)
    with pytest.raises(NotFoundError, match="the CRD is not installed"):
        api.items(paths.jobs("team"))
