"""Command line without a cluster: help, the packages that it loads, and an API server that does not respond."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.paths import CHECKOUT
from tests.support.plugin import run_program, write_kubeconfig

SLOW = {"kubernetes", "urllib3", "rich", "yaml", "PIL", "obstore", "prometheus_client", "asyncio", "requests", "ssl"}
"""Packages that load too slowly for --help."""
GROUPS = ("reading", "transferring", "meshes", "changing", "installation")
"""Modules with the commands."""


def loaded_after(*commands: list[str]) -> set[str]:
    """Return the modules that are loaded after these command lines ran in one process."""
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


def test_help_loads_no_slow_package() -> None:
    loaded = loaded_after(["--help"], ["get", "--help"], ["cancel", "--help"], ["--version"])
    packages = {name.partition(".")[0] for name in loaded}
    assert "typer" in packages
    assert packages & SLOW == set()


def test_help_loads_no_command_and_a_command_loads_no_other() -> None:
    assert own(loaded_after(["--help"])) == {"cli", "cli.loading", "cli.main", "errors"}
    assert {"cli.reading"} == own(loaded_after(["get", "--help"])) & {f"cli.{group}" for group in GROUPS}


def own(modules: set[str]) -> set[str]:
    return {name.partition(".")[2] for name in modules if name.startswith("kubectl_recon.")}


def test_help_has_one_line_for_each_command_and_the_page_has_each() -> None:
    done = run_program("--help")
    assert done.returncode == 0
    commands = done.stdout.partition("Commands:\n")[2]
    assert "..." not in commands
    page = (CHECKOUT / "docs" / "kubectl-recon.md").read_text()
    named = [line.split()[0] for line in commands.splitlines()]
    assert named[:3] == ["get", "watch", "wait"]
    assert [name for name in named if f"`{name}`" not in page.partition("All commands but")[0]] == []


def test_a_missing_kubeconfig_is_reported(tmp_path: Path) -> None:
    done = run_program("get", KUBECONFIG=str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr
        == f"error: no API server: there is no kubeconfig at {tmp_path}/none and no service account: set KUBECONFIG\n"
    )


def test_an_unavailable_api_server_is_reported(tmp_path: Path) -> None:
    done = run_program("get", KUBECONFIG=str(write_kubeconfig(tmp_path)))
    assert done.returncode == 1
    assert done.stderr.startswith("error: the API server at http://127.0.0.1:9 does not respond: ")
