"""Tracing: an endpoint without the optional extra."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

MISSING = 'sys.modules["opentelemetry"] = None'
UNFIT = """
class Unfit:
    def find_spec(self, name, *_):
        if name == "opentelemetry":
            raise TypeError("Descriptors cannot be created directly.")
sys.meta_path.insert(0, Unfit())
"""
PROGRAM = """
import sys
{}
from reconstruction_operator.telemetry import tracing
assert not tracing.enabled()
tracing.flush(1)
"""


@pytest.mark.parametrize("packages", [pytest.param(MISSING, id="missing"), pytest.param(UNFIT, id="unfit")])
def test_an_endpoint_without_the_extra_is_an_error_that_names_the_extra(packages: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(packages)],
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.count("Install reconstruction-operator[tracing].") == 1
    assert "tracing" in metadata.metadata("reconstruction-operator").get_all("Provides-Extra", [])
