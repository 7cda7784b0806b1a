"""Helm: which program is used, and without the user's own cluster."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devcluster import CommandError
from devcluster.programs.helm import helm, helm_program


def program(folder: Path, text: str) -> Path:
    path = folder / "helm"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def first_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize("version", ["v3.18.0+g1234567", "v4.3.1"])
def test_helm_on_path_is_used_if_new_enough(first_on_path: Path, version: str) -> None:
    path = program(first_on_path, f"echo {version}")

    assert helm_program() == path


@pytest.mark.parametrize("text", ["echo v3.17.9", "echo v2.16.1", "exit 1"], ids=["old", "very old", "broken"])
def test_unsuitable_helm_on_path_is_not_used(first_on_path: Path, text: str) -> None:
    path = program(first_on_path, text)

    assert helm_program() != path


def test_helm_never_finds_the_users_own_cluster(first_on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/home/user/.kube/config")
    program(first_on_path, '[ "$1" = version ] && echo v4.3.1 || echo "$KUBECONFIG"')

    assert helm("list").stdout == f"{os.devnull}\n"


def test_error_has_the_command_and_its_message(first_on_path: Path) -> None:
    program(first_on_path, '[ "$1" = version ] && echo v4.3.1 && exit; echo no such chart >&2; exit 1')

    with pytest.raises(CommandError, match="helm template x: status 1\nno such chart"):
        helm("template", "x")
