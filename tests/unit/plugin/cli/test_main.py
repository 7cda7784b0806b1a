"""Command line: the help of each command, and usage errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kubectl_recon.cli.main import main

from tests.support.pages import texts
from tests.support.plugin import write_kubeconfig

COMMANDS = (
    *("get", "list", "watch", "wait", "why", "history", "logs", "submit", "results", "open", "preview", "run"),
    *("cancel", "suspend", "resume", "retry", "add", "restore", "workers", "models", "doctor"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_all_options_in_the_pages(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as end:
        main([command, "-h"])
    output = capsys.readouterr().out
    assert (end.value.code, output.splitlines()[0].split()[:4]) == (0, ["Usage:", "kubectl", "recon", command])
    connecting = ("--context", "--kubeconfig", "--namespace")
    assert [option in output for option in connecting] == [command != "run"] * len(connecting)
    uses = re.findall(rf"recon {command} ([^`#|;>\n]*)", "\n".join(texts().values()))
    assert [option for use in uses for option in re.findall(r"(?:^| )(--?[a-z-]+)", use) if option not in output] == []


def test_each_command_in_the_pages_exists() -> None:
    named = set(re.findall(r"(?:kubectl|[`$]) ?recon ([a-z]+)", "\n".join(texts().values())))
    assert named - set(COMMANDS) == set()


def test_a_mistyped_command_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["canel"])
    assert end.value.code == 2
    assert "Did you mean 'cancel'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "banana", "-l", "a=b"], "error: name jobs, or select them with -l or --all, but not both"),
        (["get", "banana", "-A"], "error: a job's name needs one namespace: use -n instead of -A"),
        (
            ["cancel", "banana", "--request", "--confirm"],
            "error: use one of --request, --confirm, --withdraw and --yes",
        ),
        (
            ["submit", "photos", "--open", "--no-follow"],
            "error: --open shows the mesh once the job has finished: omit --dry-run, --no-follow and -o",
        ),
        (["wait", "banana", "--timeout", "soon"], 'error: "soon" is not a duration: write 30s, 10m, 1h30m or 2d'),
        (["get", "a\x1b[2J/b"], 'error: "a�[2J/b" is not a ReconstructionJob: use recon/NAME, or just NAME'),
    ],
)
def test_an_invalid_command_line_is_rejected(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path)))
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert (end.value.code, capsys.readouterr().err.strip()) == (2, message)
