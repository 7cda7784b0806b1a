"""Alerts: each fires only on its own history, and has a message and a runbook."""

import re
import subprocess
from collections.abc import Mapping, Sequence
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

# Two replicas, of which the first leads. A standby's values must not count, so they are worse below.
LED = ("leader 1x600", "standby leader 0x600")


@dataclass(frozen=True)
class Case:
    """Series of leader and standby, with one value a minute in promtool's notation, and the minute to check."""

    alert: str
    healthy: Sequence[str]
    failing: Sequence[str]
    minute: int
    labels: Mapping[str, str] = field(default_factory=dict)  # of the alert, besides severity and job
    has_job: bool = True
    base: Sequence[str] = LED


def parse(lines: Sequence[str]) -> dict[str, str]:
    """Return series -> values, from lines such as `standby workers{queue="gpu"} 3x60`."""
    series = {}
    for line in lines:
        standby, name, labels, values = re.fullmatch(r"(standby )?(\w+)(?:{(.*)})? (.*)", line).groups()
        place = f'job="operator", instance="{"b" if standby else "a"}"'
        series[f"reconstruction_{name}{{{place}{f', {labels}' if labels else ''}}}"] = values
    return series


CASES = [
    Case("ReconstructionOperatorAbsent", ["leader 1x600", "standby leader 0x600"], [], 10, has_job=False, base=()),
    Case(
        "ReconstructionNoLeader",
        ["leader 1x600", "standby leader 0x600"],
        ["leader 0x600", "standby leader 0x600"],
        5,
        base=(),
    ),
    Case(
        "ReconstructionLeaderFlaps",
        ['leader_changes_total{change="taken"} 0x20 1x600'],
        ['leader_changes_total{change="taken"} 0x10 1+1x20'],
        30,
    ),
    Case(
        "ReconstructionWatchStale",
        ["watch_age_seconds 60x60", "standby watch_age_seconds 7200x60"],
        ["watch_age_seconds 0+60x60"],
        20,
    ),
    Case("ReconstructionLoopLags", ["loop_lag_seconds 0.1x60"], ["loop_lag_seconds 3x60"], 10),
    Case(
        "ReconstructionReconcileErrors",
        ['reconcile_errors_total{stage="act"} 0x10 1x60'],
        ['reconcile_errors_total{stage="act"} 0+2x60'],
        30,
        {"stage": "act"},
    ),
    Case(
        "ReconstructionStatusLags",
        ["oldest_pending_write_seconds 3x60", "standby oldest_pending_write_seconds 900x60"],
        ["oldest_pending_write_seconds 90x60"],
        10,
    ),
    Case(
        "ReconstructionApiWritesRefused",
        ['api_writes_total{kind="phase", result="ok"} 0+100x60'],
        ['api_writes_total{kind="phase", result="refused"} 0+1x60'],
        30,
        {"kind": "phase"},
    ),
    Case(
        "ReconstructionOrphansStay",
        ["orphan_records 5x50 0x60", "standby orphan_records 5x120"],
        ["orphan_records 5x120"],
        70,
    ),
    Case(
        "ReconstructionDeletionsHeld",
        ["held_orphan_records 0x60", "standby held_orphan_records 30x60"],
        ["held_orphan_records 30x60"],
        5,
    ),
    Case(
        "ReconstructionInstallationsOverlap",
        ["contested_jobs 5x3 0x60", "standby contested_jobs 5x60"],
        ["contested_jobs 5x60", "standby contested_jobs 0x60"],
        10,
    ),
    Case(
        "ReconstructionRedisDown",
        ["redis_up 1x60", "standby redis_up 0x60"],
        ["redis_up 0x60", "standby redis_up 1x60"],
        10,
    ),
    Case("ReconstructionRedisEvicts", ["redis_evicts 0x60"], ["redis_evicts 1x60"], 10),
    Case(
        "ReconstructionRedisForgets",
        ["redis_epochs_total 0x10 1x400"],
        ["redis_epochs_total 0x10 1x30 2x30 3x400"],
        120,
    ),
    Case(
        "ReconstructionRedisNearlyFull",
        ["dispatch_paused 0x60", "standby dispatch_paused 1x60"],
        ["dispatch_paused 1x60", "standby dispatch_paused 0x60"],
        10,
    ),
    Case("ReconstructionDispatchErrors", ["dispatch_errors_total 0x5 1x60"], ["dispatch_errors_total 0+1x60"], 30),
    Case(
        "ReconstructionQueueWithoutWorkers",
        ['queue_length_messages{queue="gpu"} 4x60', 'workers{queue="gpu"} 1x60', 'standby workers{queue="gpu"} 0x60'],
        ['queue_length_messages{queue="gpu"} 4x60', 'workers{queue="gpu"} 0x60', 'standby workers{queue="gpu"} 3x60'],
        15,
        {"queue": "gpu"},
    ),
    Case(
        "ReconstructionQueueWithoutWorkers",  # nothing is sent to such a queue
        ['queue_jobs{queue="gpu", phase="Running"} 4x60', 'queue_jobs{queue="gpu", phase="Pending"} 0x60'],
        ['queue_jobs{queue="gpu", phase="Pending"} 4x60', 'workers{queue="cpu"} 3x60'],
        15,
        {"queue": "gpu"},
    ),
    Case(
        "ReconstructionQueueStands",
        [
            'queue_jobs{queue="gpu", phase="Queued"} 4x60',
            'queue_jobs{queue="gpu", phase="Running"} 1x60',
            'workers{queue="gpu"} 1x60',
        ],
        [
            'queue_jobs{queue="gpu", phase="Queued"} 4x60',
            'queue_jobs{queue="gpu", phase="Running"} 0x60',
            'workers{queue="gpu"} 1x60',
        ],
        20,
        {"queue": "gpu"},
    ),
    Case(
        "ReconstructionLongWait",
        [
            'queue_wait_seconds_bucket{queue="gpu", le="600"} 0+1x180',
            'queue_wait_seconds_bucket{queue="gpu", le="+Inf"} 0+1x180',
        ],
        [
            'queue_wait_seconds_bucket{queue="gpu", le="3600"} 0x180',
            'queue_wait_seconds_bucket{queue="gpu", le="7200"} 0+1x180',
            'queue_wait_seconds_bucket{queue="gpu", le="+Inf"} 0+1x180',
        ],
        60,
        {"queue": "gpu"},
    ),
    Case(
        "ReconstructionJobsFail",
        ['jobs_finished_total{outcome="Failed", reason="NOT_ENOUGH_OVERLAP"} 0+1x60'],
        ['jobs_finished_total{outcome="Failed", reason="DISK_FULL"} 0+1x60'],
        30,
        {"reason": "DISK_FULL"},
    ),
    Case(
        "ReconstructionWorkersLost", ["lost_workers_total 0x10 1x60"], ["lost_workers_total 0x10 1x5 2x5 3x5 4x60"], 28
    ),
    Case(
        "ReconstructionCancelSlow",
        ['cancel_seconds_bucket{le="2.5"} 0+1x60', 'cancel_seconds_bucket{le="+Inf"} 0+1x60'],
        [
            'cancel_seconds_bucket{le="30"} 0x60',
            'cancel_seconds_bucket{le="60"} 0+1x60',
            'cancel_seconds_bucket{le="+Inf"} 0+1x60',
        ],
        30,
    ),
    Case(
        "ReconstructionNotificationsDropped",
        ['notifications_total{result="failed"} 0+9x60', 'notifications_total{result="dropped"} 2x60'],
        ['notifications_total{result="failed"} 0+9x60', 'notifications_total{result="dropped"} 0x10 1x60'],
        40,
    ),
    Case(
        "ReconstructionWorkerHeartbeatsFail",
        ["worker_heartbeat_failures_total 0x5 2x60"],
        ["worker_heartbeat_failures_total 0+5x60"],
        20,
        {"instance": "a"},
    ),
    Case(
        "ReconstructionWorkerExhausted",
        ["worker_exhausted 0x5 1x3 0x60"],
        ["worker_exhausted 0x5 1x60"],
        20,
        {"instance": "a"},
    ),
]


def run_promtool(tmp_path: Path, tests: list[dict[str, Any]]) -> str:
    """Run the tests, and return promtool's output if they fail; empty if they pass."""
    file = tmp_path / "alerts_test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}))
    command = [prometheus_program("promtool"), "test", "rules", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def history(case: Case, series: Sequence[str], firing: list[Mapping[str, str]]) -> dict[str, Any]:
    """Return a promtool test: at the case's minute exactly these alerts fire."""
    samples = []
    for labels in firing:
        text = ", ".join(f'{name}="{value}"' for name, value in labels.items())
        samples.append({"labels": f"ALERTS{{{text}}}", "value": 1})
    return {
        "name": f"{case.alert}: {case.failing if firing else case.healthy}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in parse([*case.base, *series]).items()],
        "promql_expr_test": [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{case.minute}m", "exp_samples": samples}
        ],
    }


def alert_labels(case: Case) -> dict[str, str]:
    rule = RULES[case.alert]
    labels = {"alertname": case.alert, "alertstate": "firing", **rule["labels"], **case.labels}
    return labels | ({"job": "operator"} if case.has_job else {})


def test_each_alert_fires_alone_on_its_history(tmp_path: Path) -> None:
    assert run_promtool(tmp_path, [history(case, case.failing, [alert_labels(case)]) for case in CASES]) == ""


def test_no_alert_fires_on_a_healthy_history(tmp_path: Path) -> None:
    assert run_promtool(tmp_path, [history(case, case.healthy, []) for case in CASES]) == ""


def test_every_alert_has_its_histories_and_every_runbook_an_alert() -> None:
    pages = {path.stem for path in (REPOSITORY / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert {case.alert for case in CASES} == set(RULES) == pages


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


def test_alerts_runbooks_and_dashboard_name_metrics_that_exist() -> None:
    documented = set(re.findall(r"`(reconstruction_\w+)`", (REPOSITORY / "docs" / "metrics.md").read_text()))
    files = [ALERTS, *(REPOSITORY / "docs" / "runbooks").glob("*.md"), CHART / "files/dashboards/reconstruction.json"]
    metrics = r"\breconstruction_(?!operator\b)\w+"  # a program
    used = {name for file in files for name in re.findall(metrics, file.read_text())}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} - documented == set()
