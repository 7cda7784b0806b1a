"""Argo CD on real jobs: its Lua scripts run on the objects, and the actions' changes go to the API server."""

from devcluster.harness.dashboards.argocd import Customization
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY
from scripts.generate.integrations import CUSTOMIZATION

FOLDER = REPOSITORY / CUSTOMIZATION
OURS = Customization(FOLDER)


def click(jobs: Jobs, name: str, action: str) -> None:
    """Run an offered action as Argo CD does: send its changes as a merge patch."""
    before = jobs.get(name)
    assert OURS.actions(before)[action], f"{action} is not offered: {OURS.actions(before)}"
    after = OURS.act(action, before)
    jobs.patch(name, **{key: value for key, value in after["spec"].items() if before["spec"].get(key) != value})


def health(jobs: Jobs, name: str) -> str:
    return str(OURS.health(jobs.get(name))["status"])


def test_actions_suspend_resume_and_cancel_a_job_in_two_steps(jobs: Jobs) -> None:
    name = jobs.create_in("Running", queue="slow")
    assert health(jobs, name) == "Progressing"

    click(jobs, name, "suspend")
    jobs.wait_phase(name, "Suspended")
    assert health(jobs, name) == "Suspended"
    click(jobs, name, "resume")
    jobs.wait_phase(name, "Running")

    assert not OURS.actions(jobs.get(name))["confirm-cancel"]
    for action in ("request-cancel", "withdraw-cancel", "request-cancel", "confirm-cancel"):
        click(jobs, name, action)
    jobs.wait_phase(name, "Cancelled")
    assert health(jobs, name) == "Healthy"
    assert not any(OURS.actions(jobs.get(name)).values())


def test_a_finished_job_is_healthy_or_degraded(jobs: Jobs) -> None:
    good = jobs.create()
    bad = jobs.create(modelType="photogrammetry", input={"uri": "file:///nowhere"})
    jobs.wait_finished(good)
    jobs.wait_finished(bad)

    assert (health(jobs, good), health(jobs, bad)) == ("Healthy", "Degraded")
    assert OURS.health(jobs.get(bad))["message"].startswith("Failed: INPUT_")
