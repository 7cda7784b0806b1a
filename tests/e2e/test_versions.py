"""Chart versions on a real node: from an earlier version of the chart to this one and back, on what the first release
kept.

The earlier chart is this one with a smaller version number, so both run the images of this checkout.
"""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import wait_until
from devcluster.node import Node
from devcluster.programs.helm import helm
from devcluster.servers.certificates import Authority
from tests.support.paths import CHECKOUT

HERE = Path(__file__).parent
CHART = CHECKOUT / "charts/reconstruction-operator"
EARLIER = "0.0.1"
KEEP_NOTHING = ["--set", "crds.keep=false,jobs.keep=false,redis.persistence.keep=false"]

pytestmark = pytest.mark.timeout(900)


def chart_of(release: Any) -> str:
    """Return name and version of the installed chart."""
    (installed,) = json.loads(release.helm("list", *release.here, "--output", "json"))
    return str(installed["chart"])


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of an earlier version of the chart."""
    folder = tmp_path_factory.mktemp("earlier")
    helm("package", CHART, "--version", EARLIER, "--destination", folder)
    (package,) = folder.iterdir()
    return package


def test_an_earlier_chart_adopts_what_an_uninstall_kept(node: Node, release: Any, volumes: Path, earlier: Path) -> None:
    before = release.job("banana")["metadata"]["uid"]
    assert "STATUS: deployed" in release.upgrade(chart=earlier)
    assert chart_of(release) == f"reconstruction-operator-{EARLIER}"
    assert release.job("banana")["metadata"]["uid"] == before


def test_job_continues_while_the_chart_is_upgraded(release: Any) -> None:
    release.running("across")
    release.upgrade()
    status = release.finished("across")
    assert (status["phase"], status.get("failures", 0)) == ("Succeeded", 0)
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    assert chart_of(release) == f"reconstruction-operator-{version}"


def test_job_continues_while_the_chart_is_rolled_back(release: Any) -> None:
    release.running("back")
    release.helm("rollback", release.name, *release.here, "--wait", "--timeout=5m")
    assert chart_of(release) == f"reconstruction-operator-{EARLIER}"
    status = release.finished("back")
    assert (status["phase"], status.get("failures", 0)) == ("Succeeded", 0)


def test_an_external_redis_with_tls_and_a_password_from_a_secret(node: Node, release: Any, tmp_path: Path) -> None:
    password = f"{secrets.token_hex(16)}/@:"
    authority = Authority(tmp_path)
    pair = authority.issue("redis", user="redis", hosts=["redis.databases.svc"])
    node.kubectl("create", "namespace", "databases")
    node.kubectl("label", "namespace", "databases", "pod-security.kubernetes.io/enforce=restricted")
    files = [f"tls.crt={pair.certificate}", f"tls.key={pair.key}", f"ca.crt={authority.certificate}"]
    command = [
        "create",
        "secret",
        "generic",
        "redis-tls",
        "-n",
        "databases",
        *(f"--from-file={file}" for file in files),
    ]
    node.kubectl(*command)
    node.kubectl("apply", "-f", "-", input=(HERE / "redis.yaml").read_text().replace("PASSWORD", password))
    node.kubectl("-n", "databases", "wait", "--for=condition=Ready", "pod/redis", "--timeout=120s")

    quoted = password.replace("/", "%2F").replace("@", "%40").replace(":", "%3A")
    address = f"rediss://:{quoted}@redis.databases.svc:6379"
    databases = {"CELERY_BROKER_URL": 0, "CELERY_RESULT_BACKEND": 0, "REDIS_STATE_DB": 1}
    ca = "ssl_ca_certs=/etc/redis-ca/ca.crt"
    ours = [f"--from-literal={key}={address}/{database}?{ca}" for key, database in databases.items()]
    node.kubectl("create", "secret", "generic", "our-redis", "-n", release.namespace, *ours)
    node.kubectl(
        "create", "secret", "generic", "our-redis-ca", "-n", release.namespace, f"--from-file={authority.certificate}"
    )
    external = "redis.external.existingSecret=our-redis,redis.external.ca.existingSecret=our-redis-ca"
    release.upgrade("--set", f"redis.enabled=false,{external}", *KEEP_NOTHING)

    assert not any("redis" in name for name in release.pods())
    assert "Phase:          Succeeded" in release.helm("test", release.name, *release.here, "--timeout=5m")
    asked = ["redis-cli", "--tls", "--cacert", "/tls/ca.crt", "-h", "redis.databases.svc", "dbsize"]
    size = node.kubectl("-n", "databases", "exec", "redis", "--", "env", f"REDISCLI_AUTH={password}", *asked).stdout
    assert int(size) > 0


def test_no_container_restarted_in_this_release_either(release: Any) -> None:
    assert release.restarts() == 0


def test_an_uninstall_that_keeps_nothing_leaves_nothing_and_is_not_stuck(node: Node, release: Any) -> None:
    crd = "crd/reconstructionjobs.reconstruction.dev"
    release.running("last")
    release.helm("uninstall", release.name, *release.here, "--wait", "--timeout=5m")
    node.kubectl("wait", "--for=delete", crd, "--timeout=120s")
    wait_until(lambda: not release.pods(), "the end of all pods", timeout_seconds=180, seen=release.pods)
    selector = "--selector=app.kubernetes.io/instance=reconstruction"
    left = node.kubectl("get", "clusterroles,clusterrolebindings", selector, "--output=name")
    assert left.stdout == ""
    claims = release.get("persistentvolumeclaims", "-n", release.namespace)["items"]
    # Claims of the photos belong to the user. The first release was configured to keep the claim of its Redis.
    assert {claim["metadata"]["name"] for claim in claims} == {"photos", "uploads", "data-reconstruction-redis-0"}
    node.kubectl("delete", "namespace", release.namespace, "databases", "--timeout=180s")
