"""Cluster: it starts completely, authenticates every client, and fails as a real one does."""

import socket
import ssl
import stat

import pytest

import devcluster
from devcluster import wait_until
from devcluster.servers.api import ApiClient


def config_map(name: str, **metadata: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def grants(namespace: str) -> str:
    """Return manifests of a service account that may read config maps."""
    return f"""
apiVersion: v1
kind: ServiceAccount
metadata: {{name: reader, namespace: {namespace}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {namespace}}}
rules: [{{apiGroups: [""], resources: [configmaps], verbs: [get, list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: reader, namespace: {namespace}}}]
"""


def test_the_administrators_kubeconfig_is_private(cluster: devcluster.Cluster) -> None:
    assert stat.S_IMODE(cluster.kubeconfig.stat().st_mode) == 0o600


def test_namespace_gets_account_and_authority_and_is_deleted_with_them(
    cluster: devcluster.Cluster, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    for made in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
        wait_until(lambda made=made: cluster.api.is_there(f"{path}/{made}"), made)  # type: ignore[misc]
    cluster.api.delete(path)
    wait_until(lambda: not cluster.api.is_there(path), "the end of the namespace", seen=lambda: cluster.api.get(path))


def test_failed_command_has_kubectls_message(cluster: devcluster.Cluster) -> None:
    with pytest.raises(devcluster.CommandError, match=r'configmaps "none" not found') as caught:
        cluster.kubectl("get", "configmap", "none")
    assert caught.value.status == 1


def test_objects_of_a_deleted_owner_are_deleted(cluster: devcluster.Cluster, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    owner = cluster.api.post(maps, config_map("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    cluster.api.post(maps, config_map("owned", ownerReferences=[reference]))
    cluster.api.delete(f"{maps}/owner")
    wait_until(lambda: not cluster.api.is_there(f"{maps}/owned"), "the end of the owned object")


def test_request_with_a_wrong_token_is_rejected(cluster: devcluster.Cluster) -> None:
    port = int(cluster.url.rpartition(":")[2])
    with pytest.raises(devcluster.ApiError) as caught:
        ApiClient(port, cluster.ca, "guessed").get("/api/v1/namespaces")
    assert caught.value.status == 401


def test_a_service_account_may_do_what_its_role_grants_and_no_more(cluster: devcluster.Cluster, namespace: str) -> None:
    cluster.kubectl("apply", "-f", "-", input=grants(namespace))
    mine = cluster.service_account_kubeconfig(namespace, "reader")
    assert stat.S_IMODE(mine.stat().st_mode) == 0o600
    cluster.kubectl("get", "configmaps", kubeconfig=mine)  # the default namespace is its own
    with pytest.raises(devcluster.CommandError, match="Forbidden"):
        cluster.kubectl("get", "secrets", kubeconfig=mine)


def test_etcd_rejects_clients_without_a_certificate(cluster: devcluster.Cluster) -> None:
    stranger = ssl.create_default_context(cafile=str(cluster.ca))
    port = int(cluster.etcd[0].rpartition(":")[2])

    def ask() -> bytes:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            stranger.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"GET /version HTTP/1.0\r\n\r\n")
            return tls.recv(1)

    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        ask()


def test_paused_api_server_hangs_until_it_is_resumed(cluster: devcluster.Cluster, namespace: str) -> None:
    cluster.pause_apiserver()
    hung = cluster.kubectl("get", "namespaces", "--request-timeout=1s", check=False)
    cluster.heal()
    assert hung.returncode != 0
    assert cluster.api.is_there(f"/api/v1/namespaces/{namespace}")


def test_killed_api_server_refuses_connections_and_restarts_with_its_data(
    cluster: devcluster.Cluster, namespace: str
) -> None:
    url = cluster.url
    cluster.kill_apiserver()
    with pytest.raises(ConnectionRefusedError):
        cluster.api.get("/readyz")
    cluster.start_apiserver()
    assert cluster.url == url
    assert cluster.api.is_there(f"/api/v1/namespaces/{namespace}")


def test_heal_undoes_every_fault(cluster: devcluster.Cluster) -> None:
    cluster.pause_apiserver()
    cluster.heal()
    cluster.check()
    cluster.kill_apiserver()
    with pytest.raises(devcluster.ServerEndedError, match="kube-apiserver ended with status 137"):
        cluster.check()
    cluster.heal()
    cluster.check()
