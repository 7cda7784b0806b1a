"""Quota of a namespace on the job volume: what a run costs its namespace, and when it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from reconstruction_operator.jobfiles import ledger, trashed
from reconstruction_operator.worker import job_deletion
from reconstruction_operator.worker.attempt import quota
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from tests.support.settings import configure
from tests.support.worker.attempts import JOB, run, want

pytestmark = pytest.mark.usefixtures("wanted", "rough_models")

_MEBIBYTE = 1 << 20
_LIMIT = 16 * _MEBIBYTE  # rough-growing writes it in some seconds: also on a busy machine, it is measured on the way


@pytest.fixture(autouse=True)
def _limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red may take 16 MiB, and blue as much as there is."""
    configure(monkeypatch, NAMESPACE_VOLUME_BYTES=(("*", _LIMIT), ("blue", 0)))
    monkeypatch.setattr(quota, "_PAUSE_SECONDS", 0.02)


def grow(folder: Path, **envelope: object) -> None:
    """Run a model that writes until it is killed."""
    run(model="rough-growing", namespace="red", input_uri=f"file://{folder}", **envelope)


def retain(client: redis.Redis, job_id: str, more_bytes: int, namespace: str = "red") -> None:
    """Run a job of the namespace and delete it: its result stays in the trash."""
    want(client, 1, job_id)
    run(job_id=job_id, namespace=namespace, name=job_id)
    job_deletion.clean_up(job_id, retain_seconds=3600)
    kept = trashed.find(namespace, job_id)
    assert kept is not None
    (kept.path / "more").write_bytes(bytes(more_bytes))
    kept.path.rename(kept.path.with_name(f"{job_id}~{kept.until}~{kept.bytes + more_bytes}"))


def retained() -> set[str]:
    return {kept.job_id for kept in trashed.entries()}


def test_a_run_ends_when_its_namespace_takes_too_much(folder: Path, jobs_dir: Path) -> None:
    text = r"VOLUME_QUOTA: namespace red takes \d+ MB of the job volume, this job \d+ MB of them; it may take 16 MB "
    with pytest.raises(ReconstructionFailedError, match=text):
        grow(folder)
    assert list(jobs_dir.iterdir()) == []


def test_retained_results_of_the_namespace_give_way_before_a_run_ends(
    client: redis.Redis, folder: Path, jobs_dir: Path
) -> None:
    retain(client, "mine", _LIMIT - _MEBIBYTE)
    retain(client, "theirs", _LIMIT + _MEBIBYTE, "blue")
    with pytest.raises(ReconstructionFailedError, match="VOLUME_QUOTA"):
        grow(folder)
    assert retained() == {"theirs"}
    assert ledger.account("red").bytes == 0


def test_results_that_jobs_hold_refuse_the_next_run_before_its_work(
    client: redis.Redis, folder: Path, jobs_dir: Path
) -> None:
    want(client, 1, "held")
    run(job_id="held", namespace="red", name="held")
    (jobs_dir / "held" / "output" / "more").write_bytes(bytes(_LIMIT + _MEBIBYTE))
    retain(client, "mine", _MEBIBYTE)
    ledger.record("red", "held")
    with pytest.raises(ReconstructionFailedError, match=r"VOLUME_QUOTA: .*takes 18 MB"):
        run(namespace="red", name="next", input_uri=f"file://{folder}")
    assert retained() == {"mine"}, "nothing is deleted in vain"
    want(client, 1, "unlimited")
    assert run(job_id="unlimited", namespace="blue", name="next", input_uri=f"file://{folder}")["status"] == "completed"


def test_a_finished_run_leaves_the_size_of_its_result(folder: Path) -> None:
    run(namespace="red", name="banana", input_uri=f"file://{folder}")
    (entry,) = ledger.account("red").folders
    assert (entry.job_id, entry.began) == (JOB, 0)
    assert 0 < entry.bytes < _MEBIBYTE
