"""Debian packages that a node needs: installed by apt-get if this process is root, else named in an error."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.files import cache_folder, locked

_APT_SECONDS = 900.0  # half a minute; a loaded machine with a slow mirror may need many times that

IMAGE_NEEDS = {
    "buildah": "buildah",  # builds images with neither a daemon nor a runtime
    "debootstrap": "debootstrap",  # makes the base image without a registry
    "runc": "runc",  # runs an image without a cluster
}
"""Programs -> their Debian packages."""
NODE_NEEDS = IMAGE_NEEDS | {
    "containerd": "containerd",
    "ctr": "containerd",  # loads images
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "nft": "nftables",  # kube-proxy's rules
    "iptables": "iptables",  # the bridge plugin's masquerading, and the port mappings
    "catatonit": "catatonit",  # the pause container
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}


def _missing(needs: Mapping[str, str]) -> list[str]:
    """Return the packages of missing programs, each once."""
    return list(dict.fromkeys(package for name, package in needs.items() if shutil.which(name) is None))


def ensure(needs: Mapping[str, str]) -> None:
    """Install missing packages by apt-get. If that is not possible, raise a DevclusterError that names them."""
    if os.geteuid() != 0:
        raise DevclusterError("a node and its images need root, for namespaces, mounts and cgroups")
    if _missing(needs):
        with locked(cache_folder() / "packages.lock"):  # apt-get does not run twice at the same time
            absent = _missing(needs)
            if absent:  # else another process has installed them
                _install(absent)


def _install(absent: list[str]) -> None:
    command = f"apt-get install --no-install-recommends {' '.join(absent)}"
    if shutil.which("apt-get") is None:
        raise DevclusterError(f"missing: {', '.join(absent)}. On Debian or Ubuntu: {command}")
    print(f"devcluster: {command}", file=sys.stderr, flush=True)
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *absent]):
        done = commands.run(
            ["apt-get", "-q", *arguments],
            check=False,
            environment={"DEBIAN_FRONTEND": "noninteractive"},
            timeout_seconds=_APT_SECONDS,
        )
        if done.returncode != 0:
            raise DevclusterError(f"apt-get {arguments[0]} failed; {command} is needed.\n{done.stderr.strip()}")
