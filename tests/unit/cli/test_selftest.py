"""Self-test without a cluster. tests/real/chart runs it on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.cli import main
from reconstruction_operator.cli.selftest import manifest


def test_a_selftest_without_a_cluster_fails_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    assert main.main(["selftest"]) == 1
    assert "reconstruction-operator: no API server" in capsys.readouterr().err


def test_the_job_of_the_selftest_is_a_simulation_without_retries() -> None:
    spec = codec.decode(Spec, manifest("gpu")["spec"])

    assert (spec.model_type, spec.queue, spec.backoff_limit) == ("placeholder", "gpu", 0)
