"""Go builds: a program from a pinned Go module, built once into the cache, with a link for each of its names.

The name of the cache folder is a hash of the input of the build: the module's files, the flags, the target.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.programs import toolchain
from devcluster.programs.cache import Spinner, cached, is_cached

_MODULES = Path(__file__).with_name("go")


@dataclass(frozen=True)
class GoProgram:
    """A program from the Go module `go/NAME` (or another one), whose go.sum pins every dependency."""

    name: str
    title: str = ""  # in the progress line; empty: the name
    links: tuple[str, ...] = ()  # further names: the program acts by the name under which it is called
    package: str = "."  # with the main function: of a dependency, or the module's own folder
    of_module: str = ""  # empty: the program's name
    kubernetes: bool = False  # a part of Kubernetes: the linker writes the release into it, which it reports
    fast: bool = False  # compiled with inlining

    @property
    def module(self) -> Path:
        """The module's folder."""
        return _MODULES / (self.of_module or self.name)


CONTROL_PLANE = GoProgram("control-plane", "the control plane", ("etcd", "kube-apiserver"), kubernetes=True)
CONTROLLERS = GoProgram("controllers", package="./controllers", of_module="control-plane", kubernetes=True)
CONTROLLER_MANAGER = GoProgram(
    "kube-controller-manager", package="./manager", of_module="control-plane", kubernetes=True
)
NODE = GoProgram("node", "the node's programs", ("coredns", "kube-proxy", "kube-scheduler", "kubelet"), kubernetes=True)
K9S = GoProgram("k9s", package="github.com/derailed/k9s")
KWOK = GoProgram("kwok", package="sigs.k8s.io/kwok/cmd/kwok")
VERSITYGW = GoProgram("versitygw")
FAKE_GCS_SERVER = GoProgram("fake-gcs-server", package="github.com/fsouza/fake-gcs-server")
VELERO = GoProgram("velero")
VELERO_PLUGIN = GoProgram(
    "velero-plugin-for-aws", package="github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws"
)
KUBE_STATE_METRICS = GoProgram("kube-state-metrics", package="k8s.io/kube-state-metrics/v2")
ACTIONLINT = GoProgram("actionlint", package="tool")
KREW = GoProgram("krew", package="tool")

_SMALL_FIRST = 1.5  # the exponent that turns the share of the compiled packages into that of the time
_SHARE_TO_TRUST = 0.05  # of the time
_KEY_LENGTH = 16  # of the hash, in a folder's name
_ERROR_LINES = 40

# GOFLAGS: if it were unset, the user's `go env -w` would apply. GOTOOLCHAIN: build with the Go that was chosen. GOGC:
# the compiler collects less often, with at most 480 MB instead of 350, and makes no DWARF, which the linker drops: 14
# to 32 % less CPU time.
_GO_FLAGS = "-mod=readonly -gcflags=all=-dwarf=false"
# Without inlining (-l) the compiler takes a quarter less CPU time again, and the API server a quarter more (600 jobs
# created, read and deleted), so that benchmarks use a fast one. All programs have the same flags, and share packages in
# Go's cache.
_QUICK = "-gcflags=all=-dwarf=false -l"
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": _GO_FLAGS, "GOGC": "400", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def is_built(program: GoProgram = CONTROL_PLANE) -> bool:
    """Whether the cache has the program."""
    return is_cached(_cache_name(program))


def built(program: GoProgram = CONTROL_PLANE, *, beside: Callable[[], str] = lambda: "") -> Path:
    """Return the folder with the program and its links. If the cache does not have it, build it (minutes).

    The progress line ends with the text of `beside`, about what else happens meanwhile.
    """
    title = f"Building {program.title or program.name} (once; a few minutes)"
    return cached(_cache_name(program), title, functools.partial(_build, program), beside)


def _cache_name(program: GoProgram) -> str:
    """Return the name of the program's folder in the cache, with the hash of what the build reads."""
    own = program.module / program.package if program.package.startswith(".") else program.module
    paths = [*own.glob("*.go"), program.module / "go.mod", program.module / "go.sum"]
    files = {path.name: path.read_bytes() for path in paths}
    flags = _flags(program)
    # The version of Go is not a part of the key: any version that is new enough works.
    parts = [f"{sys.platform}-{platform.machine()}".encode(), "\0".join(flags).encode()]
    parts += [part for name in sorted(files) for part in (name.encode(), files[name])]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))  # so that two lists of parts never give the same bytes
        digest.update(part)
    return f"{program.name}/{digest.hexdigest()[:_KEY_LENGTH]}"


def _flags(program: GoProgram) -> list[str]:
    """Return the flags of `go build`.

    Without the release the server reports v0.0.0, and charts that require a Kubernetes version reject it.
    """
    stamped: list[str] = []
    if program.kubernetes:
        module_file = (program.module / "go.mod").read_text()
        match = re.search(r"^\s*k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)\s*$", module_file, re.MULTILINE)
        if match is None:
            raise DevclusterError("go.mod does not require a release of k8s.io/kubernetes")
        stamps = {"gitVersion": match[1], "gitMajor": match[2], "gitMinor": match[3], "gitTreeState": "clean"}
        packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")  # servers and kubectl; user agents
        stamped = [f"-X {package}.{name}={value}" for package in packages for name, value in stamps.items()]
    flags = ["-trimpath", "-buildvcs=false", f"-ldflags={' '.join(['-s -w', *stamped])}"]
    return flags if program.fast else [*flags, _QUICK]


def _build(program: GoProgram, new: Path, progress: Spinner) -> None:
    progress.detail = "downloading Go and its modules"
    go = toolchain.go()
    packages = _run_go([go, "list", "-deps", program.package], program, progress)
    # -v prints each package that is compiled, without those in Go's own cache.
    compile_all: list[str | Path] = [go, "build", "-v", *_flags(program), "-o", new / program.name, program.package]
    _run_go(compile_all, program, progress, total=len(packages))
    for link in program.links:
        (new / link).symlink_to(program.name)


def _run_go(command: list[str | Path], program: GoProgram, progress: Spinner, total: int = 0) -> list[str]:
    """Run Go with low priority, show its progress, and return the lines that it printed."""
    lines: list[str] = []
    began = time.monotonic()
    with subprocess.Popen(
        ["nice", *command],  # the engine, tests and people are more urgent
        cwd=program.module,
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        out = process.stdout
        assert out is not None  # noqa: S101 -- for the type checker: a pipe was asked for
        try:
            for line in out:
                lines.append(line.rstrip())
                if line.startswith("go: downloading "):
                    progress.detail = line.strip().removeprefix("go: ")
                elif total:
                    left = _left(len(lines), total, time.monotonic() - began)
                    progress.detail = f"{len(lines)} of at most {total} packages{left}"
        except BaseException:  # also on an interrupt: the compiler must not continue
            process.terminate()
            raise
    if process.returncode != 0:
        raise DevclusterError("\n".join([f"{' '.join(map(str, command))} failed:", *lines[-_ERROR_LINES:]]))
    return [line for line in lines if not line.startswith("go: ")]


def _left(compiled: int, total: int, passed_seconds: float) -> str:
    """Return about how long the rest of a build takes; empty at its beginning.

    The first packages are small: half of them take a third of the time (measured for the control plane).
    """
    share = (compiled / total) ** _SMALL_FIRST
    if share < _SHARE_TO_TRUST:
        return ""
    minutes = passed_seconds * (1 - share) / share / 60
    return f", about {minutes:.0f} min to go" if minutes >= 1 else ", less than a minute to go"
