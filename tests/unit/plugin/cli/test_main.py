"""The command line without a cluster: help, usage errors, and what `--help` may load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kubectl_recon.cli.main import main

from tests.support.paths import CHECKOUT
from tests.support.plugin import PROGRAM

SLOW = {"kubernetes", "urllib3", "rich", "yaml", "PIL", "obstore", "prometheus_client", "asyncio", "requests", "ssl"}
"""Packages that take longer to load than --help may take."""
GROUPS = ("reading", "transferring", "looking", "changing", "installation")
"""Modules that hold the commands."""
COMMANDS = (
    *("get", "list", "watch", "wait", "why", "logs", "submit", "results", "open", "preview", "run"),
    *("cancel", "suspend", "resume", "retry", "restore", "workers", "models", "doctor", "version"),
)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments], env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )


def loaded_after(*commands: list[str]) -> set[str]:
    """The modules that are loaded once these command lines were run in one process."""
    program = (
        "import contextlib, json, sys\n"
        "from kubectl_recon.cli.main import main\n"
        f"for arguments in {list(commands)!r}:\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        main(arguments)\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_loads_no_package_that_is_slow_to_load() -> None:
    loaded = loaded_after(["--help"], ["get", "--help"], ["cancel", "--help"], ["--version"])
    packages = {name.partition(".")[0] for name in loaded}
    assert "typer" in packages
    assert packages & SLOW == set()


def test_help_loads_no_command_and_a_command_loads_no_other() -> None:
    assert own(loaded_after(["--help"])) == {"cli", "cli.loading", "cli.main", "errors"}
    assert {"cli.reading"} == own(loaded_after(["get", "--help"])) & {f"cli.{one}" for one in GROUPS}


def own(modules: set[str]) -> set[str]:
    return {name.partition(".")[2] for name in modules if name.startswith("kubectl_recon.")}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_where_it_connects(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as end:
        main([command, "-h"])
    shown = capsys.readouterr().out
    assert (end.value.code, shown.splitlines()[0].split()[:4]) == (0, ["Usage:", "kubectl", "recon", command])
    assert [one for one in ("--context", "--kubeconfig", "--namespace") if one not in shown] == (
        ["--context", "--kubeconfig", "--namespace"] if command == "run" else []
    )


def test_a_mistyped_command_is_answered_with_the_one_that_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["canel"])
    assert end.value.code == 2
    assert "Did you mean 'cancel'?" in capsys.readouterr().err


def test_help_names_every_command_in_one_line_and_the_page_has_each() -> None:
    done = run("--help")
    assert done.returncode == 0
    commands = done.stdout.partition("Commands:\n")[2]
    assert "..." not in commands
    page = (CHECKOUT / "docs" / "kubectl-recon.md").read_text()
    named = [line.split()[0] for line in commands.splitlines()]
    assert named[:3] == ["get", "watch", "wait"]
    assert [name for name in named if f"`{name}`" not in page.partition("All of them know")[0]] == []


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("get", KUBECONFIG=str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == f"error: there is no kubeconfig at {tmp_path}/none: name one with --kubeconfig or KUBECONFIG\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "banana", "-l", "a=b"], "error: name jobs, or choose them with -l or --all, but not both"),
        (["get", "banana", "-A"], "error: a job cannot be named across all namespaces: use -n instead of -A"),
        (
            ["cancel", "banana", "--request", "--confirm"],
            "error: use one of --request, --confirm, --withdraw and --yes",
        ),
        (
            ["submit", "photos", "--open", "--no-follow"],
            "error: --open shows the mesh once the job is over: leave out --dry-run, --no-follow and -o",
        ),
        (["wait", "banana", "--timeout", "soon"], 'error: "soon" is not a duration: write 30s, 10m, 1h30m or 2d'),
    ],
)
def test_a_command_line_that_cannot_be_is_explained(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "config"
    config.write_text(json.dumps(KUBECONFIG))
    monkeypatch.setenv("KUBECONFIG", str(config))
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert (end.value.code, capsys.readouterr().err.strip()) == (2, message)


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(json.dumps(KUBECONFIG))
    done = run("get", KUBECONFIG=str(config))
    assert done.returncode == 1
    assert done.stderr.startswith("error: the API server at http://127.0.0.1:9 does not answer: ")


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "me", "user": {"token": "s3cret"}}],
}
