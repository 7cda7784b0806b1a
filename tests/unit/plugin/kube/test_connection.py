"""Kubeconfigs are read as in kubectl. No request is sent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from kubectl_recon.errors import KubeconfigError, UsageError
from kubectl_recon.gallery.reaching import Way, token
from kubectl_recon.kube.connection import connect
from reconstruction_operator.kube.access import context_names


def kubeconfig(path: Path, *, name: str = "here", user: dict[str, Any] | None = None, **context: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **context}}],
        "clusters": [{"name": name, "cluster": {"server": f"http://{name}:6443"}}],
        "users": [{"name": name, "user": user or {"token": "s3cret"}}],
    }
    path.write_text(json.dumps(config))
    return path


def test_the_default_namespace_is_the_contexts(tmp_path: Path) -> None:
    file = str(kubeconfig(tmp_path / "config", namespace="team"))
    assert connect(kubeconfig=file).namespace == "team"
    assert connect(kubeconfig=file, namespace="other").namespace == "other"
    assert connect(kubeconfig=str(kubeconfig(tmp_path / "plain"))).namespace == "default"


def test_several_files_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [kubeconfig(tmp_path / name, name=name) for name in ("first", "second")]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    assert context_names() == ["first", "second"]
    assert connect(context="second").api.server == "http://second:6443"
    assert connect().context == "first"


def test_an_unknown_context_is_rejected_with_the_known_ones(tmp_path: Path) -> None:
    file = str(kubeconfig(tmp_path / "config"))
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
    connection = connect(kubeconfig=str(kubeconfig(tmp_path / "config", user={"exec": plugin})))
    assert connection.api.token() == "from-plugin"


def test_the_token_of_a_kubeconfig_is_used(tmp_path: Path) -> None:
    assert connect(kubeconfig=str(kubeconfig(tmp_path / "config"))).api.token() == "s3cret"


def test_a_gallery_needs_an_account_for_a_user_without_a_token(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config", user={"username": "me", "password": "s3cret"})
    with pytest.raises(UsageError, match="use a service account of yours with --account"):
        token(connect(kubeconfig=str(file)), Way())
