"""Images of a release: for each image and architecture an archive for `docker load` and `skopeo`, with its SBOM."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from devcluster import commands
from devcluster.node import images
from scripts.release import sbom

# The photogrammetry packages have no wheels for arm64: pycolmap, embreex.
TARGETS: Final = {
    "amd64": ("operator", "worker-base", "worker", "gallery"),
    "arm64": ("operator", "worker-base", "gallery"),
}
"""Architecture -> the targets of the Dockerfile that can be built for it."""

_ARCHIVE_SECONDS: Final = 1800.0  # the largest takes half a minute on an idle machine


def archive(folder: Path, target: str, architecture: str, *, version: str, revision: str, epoch: int) -> list[Path]:
    """Build one image, and write its archive and its SBOM to `folder`."""
    tag = images.build_image(
        images.tag_for(images.TARGETS[target], architecture),
        target=target,
        arguments={"VERSION": version, "REVISION": revision},
        architecture=architecture,
        epoch=epoch,
    )
    name = f"reconstruction-{target}"
    tar = folder / f"{name}-{version}-linux-{architecture}.tar"
    tar.unlink(missing_ok=True)
    # Docker's format keeps the health check, which an OCI archive would lose. The archive has the chart's tag.
    _run("buildah", "push", tag, f"docker-archive:{tar}:{name}:{version}")
    _run("gzip", "--no-name", "--force", str(tar))
    bom = folder / f"{name}-{version}-linux-{architecture}.cdx.json"
    bom.write_text(_sbom(tag, name, version, architecture, epoch))
    return [tar.with_name(f"{tar.name}.gz"), bom]


def _sbom(tag: str, name: str, version: str, architecture: str, epoch: int) -> str:
    container = _run("buildah", "from", "--pull-never", "--arch", architecture, tag).strip()
    try:
        root = Path(_run("buildah", "mount", container).strip())
        return sbom.document(name, version, "container", sbom.installed(root, architecture), epoch)
    finally:
        _run("buildah", "rm", container)


def _run(*command: str) -> str:
    return commands.run(command, timeout_seconds=_ARCHIVE_SECONDS).stdout
