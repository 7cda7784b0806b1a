"""The task `reconstruction.cleanup`, as Celery runs it. tests/integration/worker/test_deletion.py tests what it
deletes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from reconstruction_operator.broker import acknowledging
from reconstruction_operator.jobfiles import trashed
from reconstruction_operator.tasks.cleanup import clean_up

from tests.support.worker.attempts import JOB, run, want


def test_the_task_has_its_public_name_and_stores_no_result() -> None:
    assert (clean_up.name, clean_up.ignore_result, clean_up.Request) == (
        "reconstruction.cleanup",
        True,
        acknowledging.REQUEST,
    )


@pytest.mark.parametrize("job_id", ["", "../other", "a/b", "x" * 300])
def test_an_unsafe_job_id_is_refused_before_any_deletion(job_id: str, client: redis.Redis, jobs_dir: Path) -> None:
    (jobs_dir / "other").mkdir()

    with pytest.raises(ValueError, match="job id"):
        clean_up(job_id)
    assert [path.name for path in jobs_dir.iterdir()] == ["other"]
    assert client.keys() == []


@pytest.mark.parametrize(("seconds", "kept"), [(60, True), (0, False), (None, False), ("60", False), (-1, False)])
def test_an_argument_holds_how_long_a_result_stays_in_the_trash(
    seconds: object, *, kept: bool, client: redis.Redis, jobs_dir: Path
) -> None:
    want(client, 1)
    run(namespace="default", name="banana")

    clean_up.apply(args=(JOB, seconds)).get()
    assert (trashed.find("default", JOB) is not None) is kept
