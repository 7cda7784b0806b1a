"""Builds the control plane, and a node's programs, once into the cache: one program, with a link for each of its names.

The folder's name is the hash of all that goes in: the module's files, the flags, the target. A build goes to a folder
beside it and is renamed when it is complete; a lock file makes a second builder wait and then find it there.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import BuildError
from devcluster.folders import cache_folder
from devcluster.programs import toolchain
from devcluster.programs.progress import Progress
from devcluster.servers.runs import locked

_MODULES = Path(__file__).with_name("go")  # a folder for each Go module
MODULE = _MODULES / "control-plane"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")  # the names that main.go knows


@dataclass(frozen=True)
class GoProgram:
    """A Go module that makes one program."""

    name: str  # of the program
    title: str  # for people who wait
    module: Path
    names: tuple[str, ...]  # by which it is called
    package: str = "."  # with its main function
    kubernetes: bool = True  # whether it is to say which release of Kubernetes it is


CONTROL_PLANE = GoProgram("control-plane", "the control plane", MODULE, PROGRAMS)
NODE = GoProgram(
    "node", "the node's programs", _MODULES / "node", ("coredns", "kube-proxy", "kube-scheduler", "kubelet")
)

_KEY_LENGTH = 16  # of the hash, in a folder's name
_ERROR_LINES = 40

# GOFLAGS has to be said: an empty one would let the user's `go env -w` in. GOTOOLCHAIN: build with what was chosen.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def kubernetes_version(module_file: str) -> str:
    """Return the Kubernetes release that go.mod asks for, like v1.36.3."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\d+\.\d+\.\d+)\s*$", module_file, re.MULTILINE)
    if found is None:
        raise BuildError("go.mod does not require a release of k8s.io/kubernetes")
    return found[1]


def build_flags(version: str | None) -> list[str]:
    """Return the flags of `go build`, for a program with or without Kubernetes in it.

    Without the version the server calls itself v0.0.0, and charts that ask for a Kubernetes version refuse it.
    """
    if version is None:
        return ["-trimpath", "-buildvcs=false", "-ldflags=-s -w"]
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")  # servers and kubectl; user agents
    stamped = [f"-X {package}.{name}={value}" for package in packages for name, value in stamps.items()]
    return ["-trimpath", "-buildvcs=false", f"-ldflags=-s -w {' '.join(stamped)}"]


def cache_key(files: dict[str, bytes], flags: list[str], target: str) -> str:
    """Return a name for exactly this build. The version of Go is not in it: each that is new enough will do."""
    digest = hashlib.sha256()
    parts = [target.encode(), "\0".join(flags).encode()]
    for name in sorted(files):
        parts += [name.encode(), files[name]]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))  # so that no two lists of parts give the same bytes
        digest.update(part)
    return digest.hexdigest()[:_KEY_LENGTH]


def module_files(module: Path = MODULE) -> dict[str, bytes]:
    """Return what the Go build reads."""
    return {path.name: path.read_bytes() for path in module.iterdir() if path.suffix in {".go", ".mod", ".sum"}}


def built(program: GoProgram = CONTROL_PLANE) -> Path:
    """Return the folder with the programs, building them where that has not been done yet (minutes, once)."""
    files = module_files(program.module)
    flags = build_flags(kubernetes_version(files["go.mod"].decode()) if program.kubernetes else None)
    key = cache_key(files, flags, f"{sys.platform}-{platform.machine()}")
    folder = cache_folder() / program.name / key
    if folder.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    with Progress(f"Building {program.title} (once; a few minutes)") as progress:
        progress.detail = "waiting for another build"
        with locked(folder.with_name(f"{key}.lock")):
            if not folder.exists():
                _build(program, toolchain.go(), flags, folder, progress)
    return folder


def _build(program: GoProgram, go: Path, flags: list[str], folder: Path, progress: Progress) -> None:
    environment = os.environ | ENVIRONMENT
    with tempfile.TemporaryDirectory(prefix="new-", dir=folder.parent) as temporary:
        new = Path(temporary) / program.name
        new.mkdir()
        progress.detail = "downloading the Go modules"
        packages = _run_go([go, "list", "-deps", program.package], program.module, environment, progress)
        total = len(packages)
        # -v names each package as it is compiled, and leaves out those that Go has in its own cache.
        _run_go(
            [go, "build", "-v", *flags, "-o", new / program.name, program.package],
            program.module,
            environment,
            progress,
            total,
        )
        for name in program.names:
            if name != program.name:
                (new / name).symlink_to(program.name)
        new.replace(folder)


def _run_go(
    command: list[str | Path], module: Path, environment: dict[str, str], progress: Progress, total: int = 0
) -> list[str]:
    """Run Go, show what it is at, and return the lines that it printed."""
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=module, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        out = process.stdout
        assert out is not None  # noqa: S101 -- for the type checker: a pipe was asked for
        try:
            for line in out:
                lines.append(line.rstrip())
                if line.startswith("go: downloading "):
                    progress.detail = line.strip().removeprefix("go: ")
                elif total:
                    progress.detail = f"{len(lines)} of at most {total} packages, {lines[-1]}"
        except BaseException:  # Ctrl-C as well: no compiler goes on behind our back
            process.terminate()
            raise
    if process.returncode != 0:
        raise BuildError("\n".join([f"{' '.join(map(str, command))} failed:", *lines[-_ERROR_LINES:]]))
    return [line for line in lines if not line.startswith("go: ")]
