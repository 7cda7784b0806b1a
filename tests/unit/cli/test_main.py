"""The command line: each flag is a setting of the environment, and wins over it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from reconstruction_operator.cli import main

PROGRAM = Path(sys.executable).with_name("reconstruction-operator")


def command(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(environ or {})}
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=120, env=clean)


def test_every_setting_of_the_operator_has_a_flag() -> None:
    flags = {main.flag_of(row.name) for row in main._SETTINGS}

    assert all(re.fullmatch(r"--[a-z-]+", flag) for flag in flags)
    assert {"--redis-state-db", "--lease-seconds", "--log-level"} <= flags
    assert {"--jobs-dir", "--redis-sentinel-password"} & flags == set()


def test_the_version_is_told() -> None:
    done = command(["--version"])

    assert done.returncode == 0
    assert re.fullmatch(r"reconstruction-operator \d+\.\d+\.\d+\n", done.stdout)


def test_without_a_command_the_usage_is_shown() -> None:
    done = command([])

    assert done.returncode == 2
    assert "usage: reconstruction-operator" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        pytest.param(["--lease-seconds", "soon"], {}, "LEASE_SECONDS='soon' is not a number", id="flag"),
        pytest.param([], {"LEASE_SECONDS": "soon"}, "LEASE_SECONDS='soon' is not a number", id="environment"),
        pytest.param(
            ["--lease-seconds=1"], {"LEASE_SECONDS": "9"}, "LEASE_SECONDS='1' must be at least 2", id="flag wins"
        ),
        pytest.param(["--log-format=xml"], {}, "LOG_FORMAT='xml' must be one of json, text", id="choice"),
    ],
)
def test_a_wrong_setting_is_a_readable_error(arguments: list[str], environ: dict[str, str], message: str) -> None:
    done = command(["run", *arguments], environ)

    assert (done.returncode, done.stderr.strip()) == (2, f"reconstruction-operator: {message}")


def test_without_a_cluster_the_operator_says_what_to_set() -> None:
    done = command(["run"])

    assert done.returncode == 1
    assert "Set KUBECONFIG, or run in a pod with a service account." in done.stderr
    assert "Traceback" not in done.stderr
