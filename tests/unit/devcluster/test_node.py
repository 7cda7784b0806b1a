"""What follows from a node's number, what it needs of the machine, and what it leaves there: nothing."""

import ipaddress
import re
from pathlib import Path

import pytest
import yaml

from devcluster.errors import MissingToolError
from devcluster.node import arguments, cgroups, configuration, images
from devcluster.node.addresses import NUMBERS, SERVICE_RANGE, Addresses
from devcluster.node.packages import Need, missing

CONF = "/var/lib/kubernetes"


def test_no_two_nodes_share_an_address_or_a_name() -> None:
    nodes = [Addresses(number) for number in NUMBERS]
    seen = [value for node in nodes for value in (node.name, node.machine, node.node)]
    assert len(set(seen)) == len(seen)


def test_a_links_name_is_no_longer_than_the_kernel_takes() -> None:
    assert max(len(Addresses(number).name) for number in NUMBERS) <= 15


def test_the_api_server_is_known_by_the_address_of_its_service() -> None:
    first = str(next(ipaddress.ip_network(SERVICE_RANGE).hosts()))
    assert first in Addresses(7).api_hosts
    assert "kubernetes.default.svc.cluster.local" in Addresses(7).api_hosts


def test_all_pods_lie_below_the_nodes_own_cgroup() -> None:
    assert configuration.kubelet(Addresses(7), CONF)["cgroupRoot"] == "/recon-node7"


def test_pods_ask_the_dns_server_of_the_node() -> None:
    assert configuration.kubelet(Addresses(7), CONF)["clusterDNS"] == ["10.100.7.2"]


def test_everything_but_the_control_planes_core_starts_after_the_api_server() -> None:
    first, second = arguments.first(Addresses(7), CONF), arguments.second(Addresses(7), CONF)
    assert set(first) == {"etcd", "containerd", "kube-apiserver"}
    assert set(second) == {"kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "kubelet"}


def test_a_package_that_is_missing_is_named_once(tmp_path: Path) -> None:
    program = tmp_path / "here"
    program.touch(mode=0o755)
    needs = (
        Need("here", "there-already"),
        Need("ctr", "containerd"),
        Need("containerd", "containerd"),
        Need(str(tmp_path / "bridge"), "plugins"),
        Need(str(program), "a-file"),
    )
    assert missing(needs, path=str(tmp_path)) == ["containerd", "plugins"]


def test_images_are_tagged_as_the_chart_asks_for_them() -> None:
    chart = yaml.safe_load((images.CHECKOUT / "charts/reconstruction-operator/Chart.yaml").read_text())
    assert chart["appVersion"] == images.VERSION


def test_every_target_has_its_stage_in_the_dockerfile() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (images.CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(images.TARGETS) <= set(stages)


def controllers(root: Path) -> Path:
    for name in cgroups.CONTROLLERS:
        (root / name).mkdir()
    return root


def test_machines_with_all_controllers_of_version_1_can_have_a_node(tmp_path: Path) -> None:
    cgroups.check(controllers(tmp_path))
    (tmp_path / "memory").rmdir()
    with pytest.raises(MissingToolError, match="controllers memory, which"):
        cgroups.check(tmp_path)


def test_cgroups_of_version_2_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    with pytest.raises(MissingToolError, match="version 2"):
        cgroups.check(tmp_path)


def test_a_nodes_cgroups_are_removed_and_no_others(tmp_path: Path) -> None:
    root = controllers(tmp_path)
    (root / "cpu/recon-node7/kubepods/pod1/container").mkdir(parents=True)
    (root / "memory/recon-node7").mkdir()
    (root / "memory/recon-node71/kubepods").mkdir(parents=True)
    cgroups.remove("recon-node7", root)
    assert sorted(str(path.relative_to(root)) for path in root.glob("*/*")) == ["memory/recon-node71"]
