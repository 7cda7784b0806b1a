"""Completion by kubectl: `kubectl_complete-recon`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.plugin import PROGRAM


def complete(*words: str, kubeconfig: Path | None = None) -> list[str]:
    environment = os.environ | {"KUBECONFIG": str(kubeconfig or "/nonexistent")}
    command = [PROGRAM.with_name("kubectl_complete-recon"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_commands_are_completed_with_their_help() -> None:
    completions = complete("wa")
    assert [line.partition("\t")[0] for line in completions] == ["watch", "wait", ":4"]
    assert completions[0] == "watch\tFollow jobs live until they finish."


def test_options_are_completed_on_one_line_each() -> None:
    completions = complete("wait", "--fo")
    assert len(completions) == 2
    assert completions[0].startswith("--for\tfinished, succeeded, ")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("wait", "--for", "f"), ["finished", "failed"]),
        (("submit", "--priority", ""), ["low", "normal", "high"]),
        (("run", "--quality", "f"), ["fast"]),
        (("retry", "-o", ""), ["json", "yaml", "name"]),
    ],
)
def test_values_of_options_are_completed(words: tuple[str, ...], offered: list[str]) -> None:
    assert complete(*words) == [*offered, ":4"]


def test_contexts_come_from_the_kubeconfig(tmp_path: Path) -> None:
    config = tmp_path / "config"
    clusters = [{"name": "a", "cluster": {"server": "http://127.0.0.1:9"}}]
    contexts = [{"name": name, "context": {"cluster": "a"}} for name in ("prod-eu", "prod-us", "dev")]
    config.write_text(json.dumps({"current-context": "dev", "clusters": clusters, "contexts": contexts}))
    assert complete("get", "--context", "prod", kubeconfig=config) == ["prod-eu", "prod-us", ":4"]


@pytest.mark.parametrize("words", [("get", ""), ("get", "-n", "")])
def test_without_a_cluster_completion_offers_nothing_and_succeeds(words: tuple[str, ...]) -> None:
    assert complete(*words) == [":0"]
