"""Command line: the version, the usage, and the settings of the environment."""

from __future__ import annotations

import re

import pytest
from reconstruction_operator.cli import main


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        pytest.param(["--version"], 0, r"reconstruction-operator \d+\.\d+\.\d+\n", id="version"),
        pytest.param([], 2, r"(?s)usage: reconstruction-operator .*", id="usage, without a command"),
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
