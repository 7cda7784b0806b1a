"""The report shows measured values, not requested ones."""

from chaos.judge.evidence import Evidence
from chaos.judge.report import under_way_counts
from chaos.system.load import UserJob
from chaos.witnesses.watcher import History, Snapshot


def job(uid: str, created_at: float, deleted_at: float | None = None) -> UserJob:
    return UserJob(
        uid=uid,
        namespace="red",
        name=uid,
        scenario="steady",
        backoff_limit=2,
        created_at=created_at,
        deleted_at=deleted_at,
    )


def test_jobs_are_under_way_from_creation_until_end_or_deletion() -> None:
    done = History("done", "red", "done", [Snapshot(11.0, "Succeeded", 1, 100, frozenset(), "")])
    evidence = Evidence(
        jobs=[job("done", 1.0), job("deleted", 1.0, deleted_at=10.6), job("late", 11.5)],
        histories={"done": done},
        faults_begun_at=10.0,
        faults_ended_at=12.0,
    )

    assert under_way_counts(evidence) == [2, 2, 0, 1]
