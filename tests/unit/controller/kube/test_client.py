"""API client: which errors are transient, and how the API server is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reconstruction_operator.controller.kube.client import ApiError, NoClusterError, encoded, find_cluster


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        *((status, True) for status in (0, 401, 429, 500, 503, 504)),
        *((status, False) for status in (400, 403, 404, 409, 422)),
    ],
)
def test_an_error_is_transient_if_a_retry_may_succeed(status: int, transient: bool) -> None:
    assert ApiError(status, "Reason", "message").transient is transient


def test_the_text_of_an_error_has_status_reason_and_message() -> None:
    assert (
        str(ApiError(422, "Invalid", "a finished phase never changes")) == "422 Invalid: a finished phase never changes"
    )
    assert str(ApiError(0, "TimeoutError", "GET /x")) == "no response TimeoutError: GET /x"


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "https://10.0.0.1:6443/"}}]
users: [{name: me, user: {token: s3cret}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds a kubeconfig as the home folder does, and a file that is not one."""
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(KUBECONFIG)
    (tmp_path / "broken").write_text("{]")
    return tmp_path


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"KUBECONFIG": "{folder}/.kube/config", "HOME": "/nonexistent"}, id="of the environment variable"),
        pytest.param({"HOME": "{folder}"}, id="of the home folder, outside a pod"),
    ],
)
async def test_a_kubeconfig_is_found(environ: dict[str, str], folder: Path) -> None:
    found = await find_cluster({name: value.format(folder=folder) for name, value in environ.items()})

    assert found.server == "https://10.0.0.1:6443"
    assert await found.headers() == {"Authorization": "Bearer s3cret"}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param({"HOME": "/nonexistent"}, "Set KUBECONFIG", id="nothing"),
        pytest.param({"KUBECONFIG": "/nonexistent/config"}, "Set KUBECONFIG", id="a missing file"),
        pytest.param({"KUBECONFIG": "{folder}/broken"}, None, id="a file that is not a kubeconfig"),
    ],
)
async def test_without_a_cluster_the_error_is_readable(
    environ: dict[str, str], message: str | None, folder: Path
) -> None:
    with pytest.raises(NoClusterError, match=message):
        await find_cluster({name: value.format(folder=folder) for name, value in environ.items()})


@pytest.mark.parametrize(
    "text", [pytest.param("Größe", id="of several bytes"), pytest.param("a\ud800", id="half of one")]
)
def test_a_body_with_any_character_is_sent(text: str) -> None:
    assert json.loads(encoded([{"value": text}])) == [{"value": text}]
