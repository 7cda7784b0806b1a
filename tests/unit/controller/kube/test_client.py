"""API client: which errors are transient, and how the API server is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.controller.kube.client import ApiError, NoClusterError, find_cluster


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        *((status, True) for status in (0, 401, 429, 500, 503, 504)),
        *((status, False) for status in (400, 403, 404, 409, 422)),
    ],
)
def test_transient_errors(status: int, transient: bool) -> None:
    assert ApiError(status, "Reason", "message").transient is transient


def test_the_text_of_an_error_has_status_reason_and_message() -> None:
    assert (
        str(ApiError(422, "Invalid", "a finished phase never changes")) == "422 Invalid: a finished phase never changes"
    )
    assert str(ApiError(0, "TimeoutError", "GET /x")) == "no answer TimeoutError: GET /x"


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: "https://10.0.0.1:6443/"}}]
users: [{name: me, user: {token: s3cret}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(KUBECONFIG)
    return file


async def test_the_kubeconfig_of_the_environment_variable_is_used(kubeconfig: Path, tmp_path: Path) -> None:
    found = await find_cluster({"KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)})

    assert found.server == "https://10.0.0.1:6443"
    assert await found.headers() == {"Authorization": "Bearer s3cret"}


@pytest.fixture
def home(kubeconfig: Path, tmp_path: Path) -> Path:
    (tmp_path / ".kube").mkdir()
    kubeconfig.rename(tmp_path / ".kube" / "config")
    return tmp_path


async def test_the_kubeconfig_of_the_home_folder_is_used_outside_a_pod(home: Path) -> None:
    assert (await find_cluster({"HOME": str(home)})).server == "https://10.0.0.1:6443"


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"HOME": "/nonexistent"}, id="nothing"),
        pytest.param({"KUBECONFIG": "/nonexistent/config"}, id="a missing file"),
    ],
)
async def test_without_a_cluster_the_error_names_what_to_set(environ: dict[str, str]) -> None:
    with pytest.raises(NoClusterError, match="Set KUBECONFIG"):
        await find_cluster(environ)


@pytest.fixture
def no_kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text("{]")
    return file


async def test_a_file_that_is_no_kubeconfig_is_a_readable_error(no_kubeconfig: Path) -> None:
    with pytest.raises(NoClusterError):
        await find_cluster({"KUBECONFIG": str(no_kubeconfig)})
