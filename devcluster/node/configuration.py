"""Files and command lines of a node's servers: pure functions of its addresses.

Most files are JSON, which every YAML reader reads.
"""

from __future__ import annotations

from typing import Any

from devcluster.node.addresses import CLUSTER_DOMAIN, NODE_NAME, POD_RANGE, SERVICE_RANGE, Addresses
from devcluster.node.images import PAUSE_IMAGE
from devcluster.servers.arguments import apiserver_options, flags, manager_options

_ETCD = "http://127.0.0.1:2379"  # in a separate network namespace
CNI_PROGRAMS = "/usr/lib/cni"  # Debian's folder

READY_PORTS = {"8181": "ready", "10248": "healthz", "10256": "healthz"}
"""Readiness probes of CoreDNS, the kubelet and kube-proxy: port on the loopback address -> path."""


def kubelet(addresses: Addresses, conf: str) -> dict[str, Any]:
    """Configure the kubelet: all pods are below one cgroup of the node, and the machine's own
    limits and sysctls stay.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{addresses.name}",
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{conf}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [addresses.node],
        "resolvConf": "",  # names outside the cluster fail at once: pods cannot reach other networks
        "imageGCHighThresholdPercent": 100,  # a deleted image cannot be pulled again
        "evictionHard": {"memory.available": "100Mi"},
    }


def kube_proxy(conf: str) -> dict[str, Any]:
    """Configure kube-proxy: it uses nftables, and the machine's conntrack limits stay."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": f"{conf}/kube-proxy.kubeconfig"},
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": POD_RANGE,
        "oomScoreAdj": 0,
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def cni() -> dict[str, Any]:
    """Configure a bridge for the pods."""
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [{**bridge, "ipam": addresses}, ports]}


def containerd(conf: str) -> str:
    """Configure containerd.

    If memory runs out, the kernel must not spare a container and kill the machine's own processes.
    """
    return f"""\
version = 2
oom_score = 0
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PROGRAMS}"
    conf_dir = "{conf}/cni"
"""


def corefile(conf: str) -> str:
    """Configure CoreDNS, which runs beside the kubelet, since its image cannot be pulled."""
    return f"""\
.:53 {{
 errors
 ready 127.0.0.1:8181
 cache 5
 kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
  kubeconfig {conf}/coredns.kubeconfig
 }}
}}
"""


def first(addresses: Addresses, conf: str) -> dict[str, list[str]]:
    """Return the servers that start at once: name -> arguments."""
    apiserver = apiserver_options(conf) | {
        "etcd-servers": _ETCD,
        "advertise-address": addresses.node,
        "service-cluster-ip-range": SERVICE_RANGE,
        "kubelet-client-certificate": f"{conf}/kubelet-client.crt",
        "kubelet-client-key": f"{conf}/kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
    }
    return {
        # Without fsync: the data is needed only during the run.
        "etcd": flags({"data-dir": "/var/lib/etcd", "unsafe-no-fsync": "true", "log-level": "warn"}),
        "containerd": flags({"config": f"{conf}/containerd.toml"}),
        "kube-apiserver": flags(apiserver),
    }


def second(addresses: Addresses, conf: str) -> dict[str, list[str]]:
    """Return the servers that start once the API server answers: name -> arguments."""
    kubelet = {
        "config": f"{conf}/kubelet.json",
        "kubeconfig": f"{conf}/kubelet.kubeconfig",
        "hostname-override": NODE_NAME,
        "node-ip": addresses.node,
    }
    return {
        "kube-controller-manager": flags(manager_options(conf)),
        "kube-scheduler": flags({"kubeconfig": f"{conf}/kube-scheduler.kubeconfig", "leader-elect": "false"}),
        "kube-proxy": flags({"config": f"{conf}/kube-proxy.json"}),
        "coredns": [f"-conf={conf}/Corefile"],
        "kubelet": flags(kubelet),
    }
