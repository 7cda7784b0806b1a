"""Images without Docker or a registry: the base by debootstrap, the others by buildah from the shipped Dockerfile.

`--isolation chroot` needs no runtime and no network bridge, and changes nothing on the machine. `--format docker` keeps
HEALTHCHECK, which OCI images do not have.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster import commands
from devcluster.errors import CommandError, DevclusterError
from devcluster.files import CHECKOUT, cache_folder, locked
from devcluster.node.packages import IMAGE_NEEDS, ensure
from devcluster.programs.cache import Spinner

DEBIAN_SUITE = "trixie"  # its Python is 3.13
BASE_IMAGE = f"localhost/devcluster/python:3.13-{DEBIAN_SUITE}"
NATIVE = "amd64"  # Debian's name of this machine's architecture; `make setup` rejects others
VERSION = "0.1.0"  # as in pyproject.toml and in the chart, which uses it as the tag
TARGETS = {
    "operator": f"localhost/reconstruction-operator:{VERSION}",
    "worker": f"localhost/reconstruction-worker:{VERSION}",
    "worker-base": f"localhost/reconstruction-worker-base:{VERSION}",
    "gallery": f"localhost/reconstruction-gallery:{VERSION}",
}
"""The Dockerfile's targets -> the tags of their images."""
PAUSE_IMAGE = "localhost/devcluster/pause:1"
REDIS_IMAGE = f"localhost/devcluster/redis:{DEBIAN_SUITE}"
PROMETHEUS_IMAGE = f"localhost/devcluster/prometheus:{DEBIAN_SUITE}"
PACKAGES = {REDIS_IMAGE: "redis-server", PROMETHEUS_IMAGE: "prometheus"}
"""Tags of images of one Debian package -> the package."""

_BASE_PACKAGES = ("python3", "python3-venv", "ca-certificates")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_EMULATORS = Path("/proc/sys/fs/binfmt_misc")
_MACHINES = {"arm64": "aarch64"}  # Debian's name -> qemu's
_BUILD_SECONDS = 3600.0  # a minute; ten under emulation, and a loaded machine takes many times that
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PAUSE = """\
FROM scratch
COPY catatonit /pause
ENTRYPOINT ["/pause", "-P"]
"""
_PACKAGE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG PACKAGE
RUN apt-get update -q && apt-get install -q -y --no-install-recommends ${PACKAGE} && rm -rf /var/lib/apt/lists/*
ENTRYPOINT []
"""


def base_image(architecture: str = NATIVE) -> str:
    """Return the name of a Debian with Python. debootstrap makes it if it does not exist yet.

    This takes a minute, or ten if the kernel has to emulate the architecture.
    """
    ensure(IMAGE_NEEDS)
    tag = tag_for(BASE_IMAGE, architecture)
    with locked(cache_folder() / "base-image.lock"):
        if commands.run(["buildah", "inspect", "--type", "image", tag], check=False).returncode != 0:
            _check_emulation(architecture)
            with Spinner(f"Making the base image of Debian {DEBIAN_SUITE} for {architecture} (once)"):
                _bootstrap(tag, architecture)
    return tag


def tag_for(tag: str, architecture: str) -> str:
    """Return the name of an image for an architecture. This machine's own has no suffix."""
    return tag if architecture == NATIVE else f"{tag}-{architecture}"


def build_image(
    tag: str,
    *,
    target: str | None = None,
    dockerfile: Path = CHECKOUT / "Dockerfile",
    context: Path = CHECKOUT,
    arguments: Mapping[str, str] | None = None,
    architecture: str = NATIVE,
    epoch: int | None = None,
) -> str:
    """Build one target of a Dockerfile on `base_image`, and return its name. Existing layers are used again.

    `epoch` is for a release: the date of the image and of all files that the build adds. Layers are not used again
    then: buildah would use a layer whose labels had other build arguments. Its base is named by digest, which the
    Dockerfile demands.
    """
    base = base_image(architecture)
    if epoch is not None:
        inspect = ["buildah", "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", base]
        base = f"{base}@{_run(inspect).stdout.strip()}"
    _check_emulation(architecture)
    command = ["buildah", "build", "--isolation", "chroot", "--force-rm", "--format", "docker"]
    command += ["--arch", architecture]
    command += ["--layers"] if epoch is None else ["--no-cache", "--timestamp", str(epoch)]
    for name, value in {"BASE_IMAGE": base, **(arguments or {})}.items():
        command += ["--build-arg", f"{name}={value}"]
    if target is not None:
        command += ["--target", target]
    _run([*command, "--file", str(dockerfile), "--tag", tag, str(context)])
    return tag


def pause_image() -> str:
    """Return the image of the container that holds a pod's namespaces: Debian's catatonit, 0.7 MB."""
    program = shutil.which("catatonit")
    if program is None:
        raise DevclusterError("catatonit is missing: apt-get install catatonit")
    return _build_text(PAUSE_IMAGE, _PAUSE, Path(program).parent)


def package_image(tag: str) -> str:
    """Return an image of one of `PACKAGES` without an entry point, for clusters that cannot pull images."""
    with tempfile.TemporaryDirectory(prefix="package-image-") as folder:
        return _build_text(tag, _PACKAGE, Path(folder), {"PACKAGE": PACKAGES[tag]})


def _build_text(tag: str, text: str, context: Path, arguments: Mapping[str, str] | None = None) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="Dockerfile-") as file:
        file.write(text)
        file.flush()
        return build_image(tag, dockerfile=Path(file.name), context=context, arguments=arguments)


def _check_emulation(architecture: str, emulators: Path = _EMULATORS) -> None:
    """Raise DevclusterError with advice if the kernel cannot run programs of the architecture."""
    if architecture != NATIVE and not (emulators / f"qemu-{_MACHINES[architecture]}").exists():
        raise DevclusterError(
            f"the kernel cannot run {architecture} programs. On Debian: apt-get install qemu-user-static "
            "binfmt-support;"
            " without an init system also: mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc"
            f" && update-binfmts --enable qemu-{_MACHINES[architecture]}"
        )


def _bootstrap(tag: str, architecture: str) -> None:
    container = _run(["buildah", "from", "--arch", architecture, "scratch"]).stdout.strip()
    try:
        root = Path(_run(["buildah", "mount", container]).stdout.strip())
        options = [f"--arch={architecture}", "--variant=minbase", f"--include={','.join(_BASE_PACKAGES)}"]
        _run(["debootstrap", *options, DEBIAN_SUITE, str(root), _mirror()])
        # With the machine's own certificate authorities, so that pip and apt reach the same servers.
        shutil.copyfile(_CERTIFICATES, root / _CERTIFICATES.relative_to("/"))
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        for leftover in [*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*")]:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        settings = ["--env", f"PATH={_PATH}", "--env", "LANG=C.UTF-8", "--cmd", "python3", "--arch", architecture]
        _run(["buildah", "config", *settings, container])
        _run(["buildah", "commit", "--quiet", container, tag])
    finally:
        _run(["buildah", "rm", container])


def _mirror() -> str:
    """Return the address of the Debian mirror that this machine's apt uses."""
    options = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main"]
    addresses = [line for line in _run(["apt-get", *options]).stdout.splitlines() if "security" not in line]
    if not addresses:
        raise DevclusterError("apt-get has no Debian mirror, which debootstrap needs: this works only on Debian")
    return addresses[0]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return commands.run(command, timeout_seconds=_BUILD_SECONDS)
    except CommandError as error:  # the build's log has thousands of lines
        raise CommandError(command, error.status, error.stdout[-4000:], error.stderr[-4000:]) from None
