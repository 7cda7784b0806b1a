"""Command line: the version, the usage, and the settings of the environment."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from reconstruction_operator.cli import main
from reconstruction_operator.state import calls
from reconstruction_operator.state.replies import HeldCounts

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command whose call to Redis returns `counts`; return its status, and what it printed: errors first."""

    def asked(counts: HeldCounts, *arguments: str) -> tuple[int, str]:
        async def arun(*_: object) -> HeldCounts:
            return counts

        monkeypatch.setattr(calls, "arun", arun)
        monkeypatch.setenv("INSTALL_ID", "install")
        code = main.main(arguments)
        out, err = capsys.readouterr()
        return code, err + out

    return asked


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        pytest.param(["--version"], 0, r"reconstruction-operator \d+\.\d+\.\d+\n", id="version"),
        pytest.param([], 2, r"(?s)usage: reconstruction-operator .*", id="usage, without a command"),
        pytest.param(["brake", "release"], 2, r"(?s)usage: .*NAMESPACE --all is required\n", id="nothing to release"),
    ],
)
def test_version_and_usage_are_printed(
    arguments: list[str], code: int, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main.main(arguments)

    assert end.value.code == code
    assert re.fullmatch(printed, capsys.readouterr()[1 if code else 0])


def test_an_invalid_setting_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "soon")

    assert main.main(["run"]) == 2
    assert capsys.readouterr().err == "reconstruction-operator: LEASE_SECONDS='soon' is not a number\n"


@pytest.mark.parametrize(
    ("arguments", "counts", "code", "printed"),
    [
        pytest.param(["list"], ({}, {}), 0, "The brake holds no deletions\n", id="nothing is held"),
        pytest.param(["list"], ({"b": 1, "a": 20, "": 3}, {}), 0, "Held: (unknown) 3, a 20, b 1\n", id="list"),
        pytest.param(
            ["release", "a"],
            ({"b": 1}, {"a": 20}),
            0,
            "Released, to be cleaned up within a minute: a 20\nHeld: b 1\n",
            id="release",
        ),
        pytest.param(
            ["release", "c"],
            ({"b": 1}, {"a": 20}),
            1,
            "Nothing is held in namespace c\nHeld: b 1\n",
            id="wrong name",
        ),
        pytest.param(
            ["release", "--all"],
            ({}, {"a": 20, "b": 1}),
            0,
            "Released, to be cleaned up within a minute: a 20, b 1\n",
            id="all",
        ),
    ],
)
def test_the_brakes_command_tells_what_is_held_and_what_was_released(
    ask: Ask, arguments: list[str], counts: tuple[dict[str, int], dict[str, int]], code: int, printed: str
) -> None:
    assert ask(HeldCounts(*counts), "brake", *arguments) == (code, printed)


def test_the_brakes_command_names_a_redis_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSTALL_ID", "install")
    monkeypatch.setenv("REDIS_STATE_DB", "redis://127.0.0.1:1/1")

    assert main.main(["brake", "list"]) == 1
    assert capsys.readouterr().err.startswith("reconstruction-operator: Error 111 connecting to 127.0.0.1:1.")
