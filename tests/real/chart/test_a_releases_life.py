"""Release: install, upgrade, rollback and uninstall change, keep and delete the right objects."""

import base64
import json

from devcluster.waiting import wait_until
from tests.real.chart.release import CRD, DELETED_SECONDS, Release, wait_until_deleted
from tests.support.paths import CHECKOUT

MANIFESTS = CHECKOUT / "manifests"


def password(release: Release) -> str:
    secret = json.loads(release.kubectl("get", "secret", "reconstruction-redis", "-o", "json"))
    return base64.b64decode(secret["data"]["password"]).decode()


def jobs(release: Release) -> list[str]:
    return sorted(release.kubectl("get", "recon", "-o", "name").split())


def test_the_operators_requests_have_a_priority_level_that_exists(release: Release) -> None:
    release.install()

    def exists() -> bool:
        schema = json.loads(release.kubectl("get", "flowschema", "reconstruction-operator", "-o", "json"))
        conditions = schema.get("status", {}).get("conditions", ())
        return [entry["status"] for entry in conditions if entry["type"] == "Dangling"] == ["False"]

    wait_until(exists, "the priority level of the FlowSchema")


def test_an_upgrade_without_a_change_restarts_no_pod(release: Release) -> None:
    def generations() -> dict[str, int]:
        workloads = json.loads(release.kubectl("get", "deployments,statefulsets", "-o", "json"))["items"]
        return {each["metadata"]["name"]: each["metadata"]["generation"] for each in workloads}

    release.install()
    before = generations()

    release.install()

    assert generations() == before


def test_an_upgrade_with_other_values_and_its_rollback_lose_no_job(release: Release) -> None:
    release.install()
    release.create_job()
    before = password(release)
    uid = release.cluster.api.get(CRD)["metadata"]["uid"]

    release.install(commonLabels={"team": "heritage"})
    assert release.cluster.api.get(CRD)["metadata"]["uid"] == uid
    release.create_job("another")
    release.helm("rollback", "1")

    assert release.cluster.api.get(CRD)["metadata"]["uid"] == uid
    assert password(release) == before
    assert jobs(release) == [f"reconstructionjob.reconstruction.dev/{name}" for name in ("another", "job")]


def test_an_uninstall_keeps_only_jobs_and_results_which_a_new_install_adopts(release: Release) -> None:
    release.install()
    release.create_job()

    release.helm("uninstall")

    wait_until(
        lambda: release.objects() == {"persistentvolumeclaim/reconstruction-jobs"},
        "only the claim to remain",
        timeout_seconds=DELETED_SECONDS,
        seen=release.objects,
    )
    assert jobs(release) == ["reconstructionjob.reconstruction.dev/job"]
    everywhere = release.cluster.kubectl(
        "get", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/instance=reconstruction", "-o", "name"
    )
    assert everywhere.stdout == ""

    assert "STATUS: deployed" in release.install()
    assert jobs(release) == ["reconstructionjob.reconstruction.dev/job"]


def test_an_uninstall_without_keep_deletes_the_jobs_and_does_not_hang(release: Release) -> None:
    release.install(crds={"keep": False}, jobs={"keep": False})
    release.create_job("one")
    release.create_job("two", suspend=True)

    release.helm("uninstall")

    wait_until_deleted(release.cluster)
    wait_until(lambda: release.objects() == set(), "the last object to be deleted", timeout_seconds=DELETED_SECONDS)


def test_a_release_without_the_crd_leaves_the_existing_crd_unchanged(release: Release) -> None:
    release.cluster.kubectl("apply", "-f", MANIFESTS / "crd")
    before = release.cluster.api.get(CRD)["metadata"]["uid"]

    release.install(crds={"enabled": False})
    release.helm("uninstall")

    assert release.cluster.api.get(CRD)["metadata"]["uid"] == before
