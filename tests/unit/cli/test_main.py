"""Command line: each setting of the operator has a flag, which overrides the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from reconstruction_operator import config
from reconstruction_operator.cli import main


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Restore the environment, into which flags are written."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_every_setting_of_the_operator_has_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["run", "--help"])
    flags = set(re.findall(r"^  (--[a-z-]+) ", capsys.readouterr().out, re.MULTILINE))

    wanted = {row.name for row in config.TABLE if row.whose != config.WORKER and not row.secret}
    assert flags == {f"--{name.lower().replace('_', '-')}" for name in wanted}
    assert {"--redis-state-db", "--lease-seconds", "--log-level"} <= flags
    assert {"--jobs-dir", "--redis-sentinel-password"} & flags == set()


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


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        pytest.param(["--lease-seconds", "soon"], {}, "LEASE_SECONDS='soon' is not a number", id="flag"),
        pytest.param([], {"LEASE_SECONDS": "soon"}, "LEASE_SECONDS='soon' is not a number", id="environment"),
        pytest.param(
            ["--lease-seconds=1"], {"LEASE_SECONDS": "9"}, "LEASE_SECONDS='1' must be at least 2", id="flag wins"
        ),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line(
    arguments: list[str],
    environ: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, text in environ.items():
        monkeypatch.setenv(name, text)

    assert main.main(["run", *arguments]) == 2
    assert capsys.readouterr().err == f"reconstruction-operator: {message}\n"


def test_a_flag_overrides_the_environment_for_celery_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://environment/0")
    monkeypatch.setattr(main, "_run", lambda: 0)

    assert main.main(["run", "--celery-broker-url", "redis://flag/0"]) == 0
    assert os.environ["CELERY_BROKER_URL"] == config.settings.CELERY_BROKER_URL == "redis://flag/0"
