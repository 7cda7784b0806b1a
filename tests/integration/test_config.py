"""Settings in a new process: when the environment is read, and the message about an invalid value."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_the_environment_is_read_at_the_first_access_and_not_at_import() -> None:
    program = (
        "import os; from reconstruction_operator import config; os.environ['LEASE_SECONDS'] = '7'; "
        "print(config.settings.LEASE_SECONDS); os.environ['LEASE_SECONDS'] = '8'; print(config.LEASE_SECONDS)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7.0", "7.0"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("BEAT_SECONDS", "0", "='0' must be at least 0.05", id="number"),
        pytest.param(
            "REDIS_STATE_DB",
            "s3cret:6379",
            " must be an address such as redis://:PASSWORD@redis.example.com:6379/1, but "
            "its value of 11 characters has no scheme (redis://)",
            id="Redis",
        ),
    ],
)
def test_a_worker_with_an_invalid_setting_prints_one_line(name: str, text: str, message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "reconstruction_operator.celery_app", "worker"],
        env={name: text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, f"reconstruction_operator: {name}{message}\n")
