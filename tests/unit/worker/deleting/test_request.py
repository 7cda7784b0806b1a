"""Deletion requests: settings and hung mounts travel with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from reconstruction_operator import config
from reconstruction_operator.worker.deleting.request import DeletionRequest

from tests.support.settings import configure


@pytest.fixture(autouse=True)
def _settings_are_put_back() -> Iterator[None]:
    before = config.settings
    yield
    config.use(before)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(DeletionRequest("job-1"), id="all files"),
        pytest.param(DeletionRequest("job-1", cancelled=True), id="of a cancelled job"),
        pytest.param(DeletionRequest("job-1", uri="file:///m/a%20b", attempt=3, namespace="team"), id="one delivery"),
        pytest.param(DeletionRequest("job-1", uri="file:///m/ü\nb", workspace="/jobs/x"), id="any text in one line"),
    ],
)
def test_a_request_is_read_back_from_its_line(request_: DeletionRequest) -> None:
    line = request_.to_line(("/mnt/dead",))

    assert line.count(b"\n") == 1
    assert DeletionRequest.from_line(line) == (request_, (Path("/mnt/dead"),))


def test_the_process_takes_over_the_settings_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    grants = (("team", "/meshes/team"), ("*", "/meshes/all"))
    configure(monkeypatch, JOBS_DIR="/elsewhere", OUTPUT_ROOTS=("/meshes",), NAMESPACE_OUTPUTS=grants)
    wanted, line = config.settings, DeletionRequest("job-1").to_line(())
    config.use(dataclasses.replace(wanted, JOBS_DIR="/jobs", OUTPUT_ROOTS=(), NAMESPACE_OUTPUTS=(), BEAT_SECONDS=7.0))

    DeletionRequest.from_line(line)

    assert config.settings == dataclasses.replace(wanted, BEAT_SECONDS=7.0)
