"""Alerts: each fires on its own history and on no other, has a readable message, and has a runbook."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.harness.system import REPOSITORY
from devcluster.programs.toolchain import prometheus_program
from tests.support.paths import CHART

ALERTS = CHART / "files" / "alerts.yaml"
RULES = {rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}

# Two replicas of which the first leads. What a standby measures must not count: its values below are the worse ones.
LEADER = '{job="operator", instance="a"}'
STANDBY = '{job="operator", instance="b"}'
LED = {f"reconstruction_leader{LEADER}": "1x600", f"reconstruction_leader{STANDBY}": "0x600"}


@dataclass(frozen=True)
class Case:
    """Series by their names, one value a minute as promtool writes them, and when to look."""

    alert: str
    well: Mapping[str, str]
    ill: Mapping[str, str]
    minute: int
    labels: Mapping[str, str] = field(default_factory=dict)  # of the alert, beside severity and job
    has_job: bool = True
    base: Mapping[str, str] = field(default_factory=lambda: LED)


def on_leader(name: str, values: str, labels: str = "") -> dict[str, str]:
    more = f", {labels}" if labels else ""
    return {f'reconstruction_{name}{{job="operator", instance="a"{more}}}': values}


def on_standby(name: str, values: str, labels: str = "") -> dict[str, str]:
    return {
        key.replace('instance="a"', 'instance="b"'): value for key, value in on_leader(name, values, labels).items()
    }


QUEUED = 'queue="gpu", phase="Queued"'
RUNNING = 'queue="gpu", phase="Running"'
GPU = 'queue="gpu"'

CASES = [
    Case("ReconstructionOperatorAbsent", LED, {}, 10, has_job=False, base={}),
    Case(
        "ReconstructionNoLeader",
        LED,
        {f"reconstruction_leader{LEADER}": "0x600", f"reconstruction_leader{STANDBY}": "0x600"},
        5,
        base={},
    ),
    Case(
        "ReconstructionLeaderFlaps",
        on_leader("leader_changes_total", "0x20 1x600", 'change="taken"'),
        on_leader("leader_changes_total", "0x10 1+1x20", 'change="taken"'),
        30,
    ),
    Case(
        "ReconstructionWatchStale",
        on_leader("watch_age_seconds", "60x60") | on_standby("watch_age_seconds", "7200x60"),
        on_leader("watch_age_seconds", "0+60x60"),
        20,
    ),
    Case("ReconstructionLoopLags", on_leader("loop_lag_seconds", "0.1x60"), on_leader("loop_lag_seconds", "3x60"), 10),
    Case(
        "ReconstructionReconcileErrors",
        on_leader("reconcile_errors_total", "0x10 1x60", 'stage="act"'),
        on_leader("reconcile_errors_total", "0+2x60", 'stage="act"'),
        30,
        {"stage": "act"},
    ),
    Case(
        "ReconstructionStatusLags",
        on_leader("oldest_pending_write_seconds", "3x60") | on_standby("oldest_pending_write_seconds", "900x60"),
        on_leader("oldest_pending_write_seconds", "90x60"),
        10,
    ),
    Case(
        "ReconstructionApiWritesRefused",
        on_leader("api_writes_total", "0+100x60", 'kind="phase", result="ok"'),
        on_leader("api_writes_total", "0+1x60", 'kind="phase", result="refused"'),
        30,
        {"kind": "phase"},
    ),
    Case(
        "ReconstructionOrphansStay",
        on_leader("orphan_records", "5x50 0x60") | on_standby("orphan_records", "5x120"),
        on_leader("orphan_records", "5x120"),
        70,
    ),
    Case(
        "ReconstructionRedisDown",
        on_leader("redis_up", "1x60") | on_standby("redis_up", "0x60"),
        on_leader("redis_up", "0x60") | on_standby("redis_up", "1x60"),
        10,
    ),
    Case("ReconstructionRedisEvicts", on_leader("redis_evicts", "0x60"), on_leader("redis_evicts", "1x60"), 10),
    Case(
        "ReconstructionRedisForgets",
        on_leader("redis_epochs_total", "0x10 1x400"),
        on_leader("redis_epochs_total", "0x10 1x30 2x30 3x400"),
        120,
    ),
    Case(
        "ReconstructionDispatchErrors",
        on_leader("dispatch_errors_total", "0x5 1x60"),
        on_leader("dispatch_errors_total", "0+1x60"),
        30,
    ),
    Case(
        "ReconstructionQueueWithoutWorkers",
        on_leader("queue_length_messages", "4x60", GPU)
        | on_leader("workers", "1x60", GPU)
        | on_standby("workers", "0x60", GPU),
        on_leader("queue_length_messages", "4x60", GPU)
        | on_leader("workers", "0x60", GPU)
        | on_standby("workers", "3x60", GPU),
        15,
        {"queue": "gpu"},
    ),
    Case(
        "ReconstructionQueueStands",
        on_leader("queue_jobs", "4x60", QUEUED)
        | on_leader("queue_jobs", "1x60", RUNNING)
        | on_leader("workers", "1x60", GPU),
        on_leader("queue_jobs", "4x60", QUEUED)
        | on_leader("queue_jobs", "0x60", RUNNING)
        | on_leader("workers", "1x60", GPU),
        20,
        {"queue": "gpu"},
    ),
    Case(
        "ReconstructionLongWait",
        on_leader("queue_wait_seconds_bucket", "0+1x180", 'queue="gpu", le="600"')
        | on_leader("queue_wait_seconds_bucket", "0+1x180", 'queue="gpu", le="+Inf"'),
        on_leader("queue_wait_seconds_bucket", "0x180", 'queue="gpu", le="3600"')
        | on_leader("queue_wait_seconds_bucket", "0+1x180", 'queue="gpu", le="7200"')
        | on_leader("queue_wait_seconds_bucket", "0+1x180", 'queue="gpu", le="+Inf"'),
        60,
        {"queue": "gpu"},
    ),
    Case(
        "ReconstructionJobsFail",
        on_leader("jobs_finished_total", "0+1x60", 'outcome="Failed", reason="NOT_ENOUGH_OVERLAP"'),
        on_leader("jobs_finished_total", "0+1x60", 'outcome="Failed", reason="DISK_FULL"'),
        30,
        {"reason": "DISK_FULL"},
    ),
    Case(
        "ReconstructionWorkersLost",
        on_leader("lost_workers_total", "0x10 1x60"),
        on_leader("lost_workers_total", "0x10 1x5 2x5 3x5 4x60"),
        28,
    ),
    Case(
        "ReconstructionCancelSlow",
        on_leader("cancel_seconds_bucket", "0+1x60", 'le="2.5"')
        | on_leader("cancel_seconds_bucket", "0+1x60", 'le="+Inf"'),
        on_leader("cancel_seconds_bucket", "0x60", 'le="30"')
        | on_leader("cancel_seconds_bucket", "0+1x60", 'le="60"')
        | on_leader("cancel_seconds_bucket", "0+1x60", 'le="+Inf"'),
        30,
    ),
    Case(
        "ReconstructionWorkerHeartbeatsFail",
        on_leader("worker_heartbeat_failures_total", "0x5 2x60"),
        on_leader("worker_heartbeat_failures_total", "0+5x60"),
        20,
        {"instance": "a"},
    ),
]


def run_promtool(tmp_path: Path, tests: list[dict[str, Any]]) -> str:
    """Its output where the tests fail; empty where they pass."""
    file = tmp_path / "alerts_test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "30s", "tests": tests}))
    command = [prometheus_program("promtool"), "test", "rules", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def history(case: Case, series: Mapping[str, str], firing: list[Mapping[str, str]]) -> dict[str, Any]:
    """A promtool test: after so many minutes exactly these alerts fire."""
    samples = []
    for labels in firing:
        text = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        samples.append({"labels": f"ALERTS{{{text}}}", "value": 1})
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in (case.base | dict(series)).items()],
        "promql_expr_test": [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{case.minute}m", "exp_samples": samples}
        ],
    }


def alert_labels(case: Case) -> dict[str, str]:
    rule = RULES[case.alert]
    labels = {"alertname": case.alert, "alertstate": "firing", **rule["labels"], **case.labels}
    return labels | ({"job": "operator"} if case.has_job else {})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_alert_fires_on_its_history_and_no_other_does(case: Case, tmp_path: Path) -> None:
    assert run_promtool(tmp_path, [history(case, case.ill, [alert_labels(case)])]) == ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_no_alert_fires_on_a_healthy_history(case: Case, tmp_path: Path) -> None:
    assert run_promtool(tmp_path, [history(case, case.well, [])]) == ""


def test_promtool_fails_if_an_alert_does_not_fire(tmp_path: Path) -> None:
    case = CASES[1]
    assert "FAILED" in run_promtool(tmp_path, [history(case, case.well, [alert_labels(case)])])


def test_every_alert_has_its_histories() -> None:
    assert sorted(case.alert for case in CASES) == sorted(RULES)


def test_promtool_lints_the_file_without_a_finding() -> None:
    command = [prometheus_program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", ALERTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", sorted(RULES))
def test_alert_has_a_summary_and_a_runbook_with_a_first_step(name: str) -> None:
    annotations = RULES[name]["annotations"]
    assert annotations["summary"].endswith(".")
    assert annotations["description"].endswith(".")
    assert annotations["runbook_url"] == f"docs/runbooks/{name}.md"
    page = (REPOSITORY / annotations["runbook_url"]).read_text()
    assert page.startswith(f"# {name}\n")
    assert "## Look first\n\n1. " in page
    assert f"[{name}]({name}.md)" in (REPOSITORY / "docs" / "runbooks" / "README.md").read_text()


def test_every_runbook_belongs_to_an_alert() -> None:
    pages = {path.stem for path in (REPOSITORY / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert pages == set(RULES)


def test_alerts_and_runbooks_name_metrics_that_exist() -> None:
    known = set(re.findall(r"`(reconstruction_\w+)`", (REPOSITORY / "docs" / "metrics.md").read_text()))
    texts = [ALERTS.read_text(), *(path.read_text() for path in (REPOSITORY / "docs" / "runbooks").glob("*.md"))]
    used = {name for text in texts for name in re.findall(r"\breconstruction_(?!operator\b)\w+", text)}
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    assert plain - known == set()
