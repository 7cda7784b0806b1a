"""Access: how the API server is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.kube.access import find_cluster
from reconstruction_operator.kube.errors import NoClusterError

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
def test_a_kubeconfig_is_found(environ: dict[str, str], folder: Path) -> None:
    cluster = find_cluster({name: value.format(folder=folder) for name, value in environ.items()})

    assert cluster.server == "https://10.0.0.1:6443"
    assert cluster.authorization() == "Bearer s3cret"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param({"HOME": "/nonexistent"}, "set KUBECONFIG", id="nothing"),
        pytest.param({"KUBECONFIG": "/nonexistent/config"}, "set KUBECONFIG", id="a missing file"),
        pytest.param({"KUBECONFIG": "{folder}/broken"}, None, id="a file that is not a kubeconfig"),
    ],
)
def test_without_a_cluster_the_error_is_readable(environ: dict[str, str], message: str | None, folder: Path) -> None:
    with pytest.raises(NoClusterError, match=message):
        find_cluster({name: value.format(folder=folder) for name, value in environ.items()})
