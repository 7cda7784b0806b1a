"""Reading jobs with kubectl and tools: columns, `explain`, short names, selectors, defaults, server-side apply."""

import json
import re
from typing import Any

import pytest
from reconstruction_operator.api.crd import schema

from devcluster import Cluster
from devcluster.harness.kubectl import CommandResult, Kubectl
from devcluster.harness.manifests import manifest


def job(**spec: Any) -> str:
    return json.dumps(manifest(**spec))


def test_kubectl_explain_shows_the_whole_spec_at_once(installed: Cluster) -> None:
    lines = installed.kubectl("explain", "recon.spec", "--recursive").stdout.splitlines()

    fields = dict(re.findall(r"^  (\w+)\t<(\S+)>", "\n".join(lines), re.MULTILINE))
    nodes = schema()["properties"]["spec"]["properties"]
    types = {name: node["type"].replace("object", "Object") for name, node in nodes.items()}
    assert fields == types | {"stageQueues": "map[string]string"}


def table(text: str) -> list[dict[str, str]]:
    """Rows of a table of kubectl; a column begins where its heading does."""
    heading, *rows = text.rstrip("\n").splitlines()
    starts = [match.start() for match in re.finditer(r"\S+", heading)]
    ends = [*starts[1:], None]
    names = heading.split()
    return [
        {name: row[start:end].strip() for name, start, end in zip(names, starts, ends, strict=True)} for row in rows
    ]


_RUNNING = {
    "phase": "Running",
    "timeDetail": "1m20s left",
    "attempt": 2,
    "failures": 1,
    "worker": "celery@gpu-3",
    "message": "depth map 4/12",
    "progress": {
        "percent": 42,
        "display": "42%",
        "step": "Running reconstruction",
        "stepIndex": 3,
        "stepCount": 6,
        "etaSeconds": 80,
        "eta": "1m20s",
    },
    "inputs": {"images": 29, "bytes": 5_000_000},
    "failure": {"reason": "OUT_OF_MEMORY", "message": "m", "retriable": True},
}


def test_the_table_shows_the_state_of_a_running_job(kubectl: Kubectl) -> None:
    name = kubectl.create()
    assert kubectl.report(name, **_RUNNING).accepted

    (row,) = table(kubectl("get", "recon").text)

    assert re.fullmatch(r"\d+s", row.pop("AGE"))
    assert row == {"NAME": name, "PHASE": "Running", "DONE": "42%", "TIME": "1m20s left", "REASON": ""}


def test_the_phase_column_shows_the_detail_of_the_phase_where_there_is_one(kubectl: Kubectl) -> None:
    for name, status in (("plain", {}), ("requested", {"phaseDetail": "Running, cancel requested"})):
        kubectl.create(name)
        assert kubectl.report(name, **_RUNNING, **status).accepted

    rows = table(kubectl("get", "recon").text)

    assert {row["NAME"]: row["PHASE"] for row in rows} == {"plain": "Running", "requested": "Running, cancel requested"}


def test_a_table_with_the_longest_usual_texts_fits_80_characters(kubectl: Kubectl) -> None:
    kubectl.create("banana")
    assert kubectl.report("banana", **_RUNNING, phaseDetail="Running, cancel requested").accepted
    kubectl.create("lund")
    assert kubectl.report("lund", phase="Failed", reason="TOO_FEW_IMAGES", timeDetail="took 2h10m").accepted

    lines = kubectl("get", "recon").text.splitlines()

    assert max(map(len, lines)) <= 80, lines


def test_the_wide_table_shows_the_worker_and_the_reason_of_a_cancel(kubectl: Kubectl) -> None:
    name = kubectl.create()
    assert kubectl.change(name, cancelRequested=True, cancelReason="wrong").accepted
    assert kubectl.report(name, **_RUNNING).accepted

    heading, row = kubectl("get", "recon", "-o", "wide").text.splitlines()

    header = "NAME PHASE DONE TIME REASON AGE STEP IMAGES SIZE ATTEMPT WORKER CANCEL REASON MESSAGE"
    assert heading.split() == header.split()
    assert re.fullmatch(r".* Running reconstruction +29 +2 +celery@gpu-3 +wrong +depth map 4/12", row)


def test_the_table_of_a_new_job_has_empty_cells_and_no_errors(kubectl: Kubectl) -> None:
    name = kubectl.create()

    (row,) = table(kubectl("get", "recon", "-o", "wide").text)

    assert {column for column, cell in row.items() if cell} == {"NAME", "AGE"}
    assert row["NAME"] == name


@pytest.mark.parametrize(
    "what",
    [
        "reconstructionjobs",
        "reconstructionjob",
        "recon",
        "rjob",
        "reconstruction",
        "reconstructionjobs.reconstruction.dev",
    ],
)
def test_a_job_is_found_by_all_names_of_its_kind(kubectl: Kubectl, what: str) -> None:
    name = kubectl.create()

    assert kubectl("get", what, "-o", "name").text == f"reconstructionjob.reconstruction.dev/{name}\n"


def test_a_job_with_only_an_input_gets_the_defaults(kubectl: Kubectl) -> None:
    name = kubectl.create()

    assert kubectl.get(name)["spec"] == {
        "modelType": "photogrammetry",
        "input": {"uri": "file:///photos/banana"},
        "queue": "celery",
        "priority": "normal",
        "suspend": False,
        "cancelRequested": False,
        "cancelConfirmed": False,
        "backoffLimit": 2,
        "reuse": "IfUnchanged",
    }


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("spec.queue=gpu", ["a"]),
        ("spec.queue!=gpu", ["b", "c"]),
        ("spec.modelType=placeholder", ["b"]),
        ("spec.priority=high", ["c"]),
        ("status.phase=Running", ["b"]),
        ("status.phase=Running,spec.priority=high", []),
    ],
)
def test_jobs_are_selected_by_field(kubectl: Kubectl, selector: str, expected: list[str]) -> None:
    kubectl.create("a", queue="gpu")
    kubectl.create("b", modelType="placeholder")
    kubectl.create("c", priority="high")
    kubectl.report("b", phase="Running")

    selected = kubectl("get", "recon", "-o", "jsonpath={.items[*].metadata.name}", "--field-selector", selector)

    assert selected.text.split() == expected


def test_server_side_apply_of_the_same_object_changes_nothing(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert kubectl(*apply, text=job()).text == "reconstructionjob.reconstruction.dev/job serverside-applied\n"
    assert kubectl.report("job", observedGeneration=1, phase="Running").accepted
    before = kubectl.get("job")

    assert kubectl(*apply, text=job()).accepted
    assert kubectl.get("job") == before


def test_server_side_apply_does_not_conflict_with_status_writes(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "-f", "-", text=job())
    assert kubectl.report("job", **_RUNNING).accepted

    answer = kubectl("apply", "--server-side", "-f", "-", text=job(suspend=True))

    assert answer.accepted, answer.text
    stored = kubectl.get("job")
    assert stored["spec"]["suspend"] is True
    assert stored["status"]["progress"]["percent"] == 42


def test_a_status_has_one_owner(kubectl: Kubectl) -> None:
    name = kubectl.create()
    at = "2026-01-01T00:00:00Z"

    def apply(manager: str, kind: str) -> CommandResult:
        condition = {"type": kind, "status": "True", "reason": "R", "lastTransitionTime": at}
        body = manifest(name) | {"status": {"conditions": [condition]}}
        del body["spec"]
        options = ("--server-side", f"--field-manager={manager}", "--subresource=status")
        return kubectl("apply", *options, "-f", "-", text=json.dumps(body))

    assert apply("one", "Accepted").accepted
    assert 'conflict with "one" with subresource "status"' in apply("two", "Finished").text


def test_the_api_server_stores_the_crd_unchanged(installed: Cluster) -> None:
    stored = json.loads(installed.kubectl("get", "crd", "reconstructionjobs.reconstruction.dev", "-o", "json").stdout)

    (version,) = stored["spec"]["versions"]
    assert version["schema"]["openAPIV3Schema"] == json.loads(json.dumps(schema()))
