"""Start-up: roots that hold the job folders stop the worker."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from reconstruction_operator.worker.lifecycle.startup import Startup

from tests.support.settings import configure


def test_a_worker_starts_with_separate_roots(jobs_dir: Path) -> None:
    Startup(None).create(SimpleNamespace(options={}))


def test_a_worker_does_not_start_if_a_root_holds_the_job_folders(
    jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, INPUT_ROOTS=(str(jobs_dir.parent),))
    with pytest.raises(SystemExit, match="This worker does not start: INPUT_ROOTS contains"):
        Startup(None).create(SimpleNamespace(options={}))
