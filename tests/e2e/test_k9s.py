"""k9s: its keys and columns, typed into a terminal and checked on its screen and on the API server.

It needs no node: a control plane, a Redis, an operator and a worker, as in `tests/real`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from devcluster import Cluster, Redis, wait_until
from devcluster.harness.dashboards.k9s import K9s
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import QUICK_SETTINGS, REPOSITORY, System
from devcluster.programs.building import K9S, built
from devcluster.programs.toolchain import kubectl

pytestmark = pytest.mark.timeout(3600)  # the first test builds k9s if the cache does not have it

NAMESPACE = "studio"
FAULT = "202"  # orange-red: k9s's colour of an invalid row
Open = Callable[..., K9s]


@pytest.fixture(scope="module")
def k9s() -> Path:
    return built(K9S) / K9S.name


@pytest.fixture(scope="module")
def jobs() -> Iterator[Jobs]:
    """Jobs on queue `slow` stay in each step for the time of a test."""
    with Cluster() as cluster, Redis() as redis, System(cluster, redis, settings=QUICK_SETTINGS) as system:
        system.install()
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        system.start_operator()
        system.start_worker("worker")
        system.start_worker("slow", pool="threads", concurrency=16, WORKER_POOLS="slow", PLACEHOLDER_STEP_SECONDS="60")
        yield Jobs(system, NAMESPACE)


@pytest.fixture
def start(k9s: Path, jobs: Jobs) -> Iterator[Open]:
    """Start k9s with the jobs on its screen. `view` is what a user types after the colon."""
    with ExitStack() as stack:

        def started(view: str = "recon") -> K9s:
            screen = K9s(
                k9s,
                kubeconfig=jobs.system.cluster.kubeconfig,
                namespace=NAMESPACE,
                view=view,
                files=REPOSITORY / "manifests" / "integrations" / "k9s",
                kubectl=kubectl(),
            )
            stack.enter_context(screen)
            screen.wait_text(f"reconstructionjobs({NAMESPACE})")
            return screen

        yield started


@pytest.fixture
def selected(start: Open, jobs: Jobs) -> tuple[str, K9s]:
    """A running job, which is selected in k9s."""
    name = jobs.create_in("Running", queue="slow")
    screen = start()
    select(screen, name)
    return name, screen


def select(screen: K9s, name: str) -> None:
    """Make the table show one job alone, which is then selected."""
    screen.press("/")
    screen.type(name)
    screen.press("Enter")
    screen.wait_for(f"{name} alone", lambda text: "(studio)[1]" in text and screen.row(name) != "")


@pytest.mark.parametrize("view", ["recon", "rjob", "reconstructionjobs"])
def test_k9s_accepts_our_files_and_shows_jobs_by_each_name(view: str, start: Open, jobs: Jobs) -> None:
    name = jobs.create_in("Running", queue="slow")

    screen = start(view)

    text = screen.wait_for(name, lambda _: "Running" in screen.row(name))
    (header,) = [line for line in text.splitlines() if "PHASE" in line]
    assert " ".join(re.sub(r"[↑↓│]", "", header).split()) == "NAME PHASE DONE TIME QUEUE MODEL REASON AGE"
    keys = ["<shift-x> Cancel (1 of 2)", "<ctrl-x>  Cancel (2 of 2)", "<shift-r> Resume", "<shift-s> Suspend"]
    assert [key for key in [*keys, "<shift-w> Withdraw cancel"] if key not in text] == []
    assert not re.search(r"validation failed|load failed|Unable to find custom column", screen.log.read_text())


def test_the_newest_job_is_on_top(start: Open, jobs: Jobs) -> None:
    older = jobs.create_in("Running", queue="slow")
    wait_until(lambda: jobs.get(older)["status"]["progress"]["percent"] >= 0, "the older one to be there")
    first_second = jobs.get(older)["metadata"]["creationTimestamp"]
    newer = jobs.create(queue="slow")
    while jobs.get(newer)["metadata"]["creationTimestamp"] == first_second:
        jobs.delete(newer)
        newer = jobs.create(queue="slow")

    text = start().wait_for("both", lambda screen: older in screen and newer in screen)

    assert text.index(newer) < text.index(older)


def test_a_question_not_confirmed_does_nothing(selected: tuple[str, K9s], jobs: Jobs) -> None:
    name, screen = selected

    screen.press("X")
    screen.wait_text("<Confirm Cancel (1 of 2)>")
    screen.press("Enter")  # on Cancel, which is selected at first

    screen.wait_for("the question to go", lambda text: "<Confirm" not in text)
    screen.press("W")  # its result comes after that of an earlier command
    screen.wait_text(f"{name} patched")
    assert jobs.get(name)["metadata"]["generation"] == 1


def test_a_failed_job_is_highlighted_and_found_by_a_key(start: Open, jobs: Jobs) -> None:
    good = jobs.create()
    bad = jobs.create(modelType="photogrammetry", input={"uri": "file:///nowhere"})
    jobs.wait_phase(good, "Succeeded")
    jobs.wait_phase(bad, "Failed")
    screen = start()
    screen.wait_for("both", lambda _: "Succeeded" in screen.row(good) and "INPUT_REFUSED" in screen.row(bad))

    def colour(name: str) -> str:
        """Return the colour of the letters, or of the bar if the row is selected."""
        code = re.search(rf"8;5;(\d+)m{name}", screen.row(name, colours=True))
        return code[1] if code else ""

    assert colour(bad) == FAULT
    assert colour(good) not in ("", FAULT)
    screen.press("C-z")
    screen.wait_for("the failed ones alone", lambda _: screen.row(good) == "" and screen.row(bad) != "")


def test_the_wide_view_shows_worker_and_message(start: Open, jobs: Jobs) -> None:
    name = jobs.create_in("Pending", queue="unserved")
    screen = start()
    select(screen, name)

    screen.press("C-w")

    text = screen.wait_text("no live worker listens to queue unserved")
    (header,) = [line for line in text.splitlines() if "PHASE" in line]
    assert [column for column in ("ATTEMPT", "WORKER", "IMAGES", "MESSAGE") if column not in header] == []
