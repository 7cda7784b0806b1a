"""Manifests of the installation, most of them as part of the complete one: a real API server accepts them and their
pods.
"""

import base64
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from reconstruction_operator import config

from devcluster import Cluster, commands
from tests.real.chart.release import pods
from tests.support import pages
from tests.support.paths import CHECKOUT

_MANIFESTS = CHECKOUT / "manifests"
_HOME = "reconstruction-system"


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The complete installation in a copy of the manifests, with passwords."""
    folder = tmp_path_factory.mktemp("checkout") / "manifests"
    shutil.copytree(_MANIFESTS, folder, ignore=shutil.ignore_patterns("*.env.new", "operator.env", "worker.env"))
    (folder / "complete" / "redis.env").unlink(missing_ok=True)
    commands.run(pages.commands("install-complete")[0], folder=folder.parent)
    return folder / "complete"


def build(cluster: Cluster, folder: Path) -> list[dict[str, Any]]:
    """All objects of an installation."""
    return list(yaml.safe_load_all(cluster.kubectl("kustomize", folder).stdout))


def data(manifest: dict[str, Any]) -> dict[str, str]:
    """The data of a Secret as text."""
    return {key: base64.b64decode(value).decode() for key, value in manifest["data"].items()}


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    return {manifest["metadata"]["name"]: manifest for manifest in objects if manifest["kind"] in kinds}


def test_the_api_server_accepts_the_manifests_without_warnings(installed: Cluster, complete: Path) -> None:
    for command in pages.commands("install-complete")[1:]:
        words = [word.replace("manifests", str(complete.parent)) for word in command[1:]]
        done = installed.kubectl(*words, "--dry-run=server")

        assert done.stderr == ""
        assert all(line.endswith("(server dry run)") for line in done.stdout.splitlines())


def test_the_pods_meet_the_restricted_pod_security_standard(installed: Cluster, complete: Path) -> None:
    for pod in pods(build(installed, complete)):
        command = ["-n", _HOME, "create", "--dry-run=server", "-f", "-"]
        done = installed.kubectl(*command, input=json.dumps(pod), check=False)
        assert (done.returncode, done.stderr) == (0, ""), pod["metadata"]["name"]


def test_a_pod_that_is_not_restricted_is_rejected(installed: Cluster) -> None:
    done = installed.kubectl("-n", _HOME, "run", "bare", "--image=any", "--dry-run=server", check=False)

    assert 'violates PodSecurity "restricted' in done.stderr


def test_the_port_of_the_probes_is_that_of_the_settings(cluster: Cluster) -> None:
    (pod,) = pods(build(cluster, _MANIFESTS / "install"))

    assert pod["spec"]["containers"][0]["ports"] == [
        {"name": "metrics", "containerPort": config.settings.METRICS_PORT},
        {"name": "probes", "containerPort": config.settings.PROBE_PORT},
    ]


def test_the_addresses_of_redis_come_from_the_secret(cluster: Cluster) -> None:
    objects = build(cluster, _MANIFESTS / "install")

    (secret,) = of_kind(objects, "Secret").values()
    (container,) = of_kind(objects, "Deployment")["reconstruction-operator"]["spec"]["template"]["spec"]["containers"]
    assert set(secret["data"]) == {"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_STATE_DB"}
    from_secret = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]
        for variable in container["env"]
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    assert from_secret == {name: {"name": secret["metadata"]["name"], "key": name} for name in secret["data"]}


def test_each_side_of_the_complete_installation_has_a_redis_user_with_a_password_of_its_own(
    cluster: Cluster, complete: Path
) -> None:
    objects = build(cluster, complete)

    secrets = {name.rpartition("-")[0]: data(manifest) for name, manifest in of_kind(objects, "Secret").items()}
    passwords = secrets.pop("redis-passwords")
    services = {}
    for name, values in secrets.items():
        (user,) = {(urlsplit(url).username, urlsplit(url).password) for url in values.values()}
        services[name] = user
    assert services == {
        "reconstruction-redis": ("reconstruction-operator", passwords["OPERATOR_PASSWORD"]),
        "reconstruction-redis-worker": ("reconstruction-worker", passwords["WORKER_PASSWORD"]),
    }
    assert len(set(passwords.values())) == len(passwords) == 4
    assert {len(password) for password in passwords.values()} == {48}
    (container,) = of_kind(objects, "Deployment")["reconstruction-worker"]["spec"]["template"]["spec"]["containers"]
    sources = [source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source]
    assert [source.rpartition("-")[0] for source in sources] == ["reconstruction-redis-worker"]


def test_passwords_are_written_once_and_for_their_user_alone(complete: Path) -> None:
    files = sorted(complete.glob("*.env"))
    before = [file.read_text() for file in files]

    commands.run(["sh", complete / "passwords.sh"])

    assert [file.read_text() for file in files] == before
    assert [file.name for file in files] == ["operator.env", "redis.env", "worker.env"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_every_setting_in_the_manifests_exists(cluster: Cluster, complete: Path) -> None:
    objects = build(cluster, complete)

    maps = of_kind(objects, "ConfigMap", "Secret")
    named = {key for name, manifest in maps.items() if name.startswith("reconstruction-") for key in manifest["data"]}
    for workload in of_kind(objects, "Deployment").values():
        for container in workload["spec"]["template"]["spec"]["containers"]:
            named |= {variable["name"] for variable in container.get("env", [])}
    assert sorted(key for key in named if not hasattr(config, key)) == []


def test_the_operator_alone_has_a_service_account_token(cluster: Cluster, complete: Path) -> None:
    workloads = of_kind(build(cluster, complete), "Deployment", "StatefulSet")

    specs = {title: workload["spec"]["template"]["spec"] for title, workload in workloads.items()}
    assert {title: spec.get("automountServiceAccountToken", True) for title, spec in specs.items()} == {
        "reconstruction-operator": True,
        "reconstruction-worker": False,
        "redis": False,
    }


def test_every_pod_has_the_label_by_which_the_plugin_and_the_gallery_find_it(cluster: Cluster, complete: Path) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(build(cluster, complete))]
    assert {label.get("app.kubernetes.io/part-of") for label in labels} == {"reconstruction"}


def test_uninstalling_the_operator_keeps_the_crd_and_the_jobs(cluster: Cluster, complete: Path) -> None:
    assert [manifest for manifest in build(cluster, complete) if "CustomResource" in manifest["kind"]] == []


def test_all_manifests_can_move_to_another_namespace(cluster: Cluster, tmp_path: Path) -> None:
    # kustomize reads relative paths only
    up = "/".join([".."] * (len(tmp_path.resolve().parts) - 1))
    overlay = {"namespace": "elsewhere", "resources": [f"{up}{(_MANIFESTS / 'install').resolve()}"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))

    objects = list(yaml.safe_load_all(cluster.kubectl("kustomize", tmp_path).stdout))

    # kustomize moves the role out of kube-public as well, so its rule on one name is without effect there
    information = [
        manifest
        for manifest in objects
        if manifest["kind"] == "Role" and manifest["metadata"]["name"].endswith("-info")
    ]
    assert {manifest["metadata"]["namespace"] for manifest in information} == {"elsewhere"}
    others = [manifest for manifest in objects if manifest not in information]
    assert _HOME not in json.dumps(others)  # the Secret's addresses are encoded
