"""Command line of the release: `python -m scripts.release` writes all files of the version in pyproject.toml to
`dist/`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from devcluster import commands
from devcluster.errors import DevclusterError
from scripts.checks import versions
from scripts.paths import CHECKOUT
from scripts.release import images, krew, packages, sbom

_CHECKSUMS: Final = "SHA256SUMS"
_LOCKS: Final = {
    "reconstruction-operator": ("operator.txt", "worker.txt"),
    "reconstruction-gallery": ("gallery.txt",),
    "kubectl-recon": ("plugin.txt",),
}
"""Python package -> the lock files of its images, or of its archive for krew."""
# The Python of the images, for markers in the lock files; the rest is as on this machine.
_ENVIRONMENT: Final = {"python_version": "3.13", "python_full_version": "3.13.0"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files. Return 1 if this checkout cannot be released."""
    options = _parser().parse_args(arguments)
    try:
        problems = [*versions.problems(CHECKOUT), *versions.unreleasable(CHECKOUT), *uncommitted(CHECKOUT)]
        if problems and not options.draft:
            print(*(f"release: {problem}" for problem in problems), sep="\n", file=sys.stderr)
            return 1
        _release(options.folder, options.images, options.owner)
    except DevclusterError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def uncommitted(checkout: Path) -> list[str]:
    """Return a problem if a tag would lack changes of the checkout."""
    changed = _git(checkout, "status", "--porcelain")
    return [f"uncommitted changes, which a tag would lack:\n{changed}"] if changed else []


def _release(folder: Path, architectures: Sequence[str], owner: str) -> None:
    version = versions.program_version(CHECKOUT)
    revision = _git(CHECKOUT, "rev-parse", "HEAD")
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or _git(CHECKOUT, "log", "-1", "--format=%ct"))
    clear(folder)
    packages.build_python(folder, epoch)
    packages.build_chart(folder, epoch)
    krew.build(folder, epoch, owner)
    packages.build_headlamp(folder, epoch, owner)
    for name, locks in _LOCKS.items():
        (folder / f"{name.replace('-', '_')}-{version}.cdx.json").write_text(wheel_sbom(name, locks, version, epoch))
    _print(sorted(folder.iterdir()))
    for architecture in architectures:
        for target in images.TARGETS[architecture]:
            _print(images.archive(folder, target, architecture, version=version, revision=revision, epoch=epoch))
    write_checksums(folder)
    _print([folder / _CHECKSUMS])


def clear(folder: Path) -> None:
    """Empty the folder of an earlier release, or make a new one.

    Raises:
        DevclusterError: the folder has other files.

    """
    if folder.exists() and any(folder.iterdir()) and not (folder / _CHECKSUMS).exists():
        raise DevclusterError(f"{folder} has files, but no {_CHECKSUMS} of an earlier release: choose another folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def write_checksums(folder: Path) -> None:
    """Write the digest of each file for `sha256sum --check`."""
    lines = []
    for path in sorted(folder.iterdir()):
        if path.name != _CHECKSUMS:
            with path.open("rb") as file:
                lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (folder / _CHECKSUMS).write_text("".join(lines))


def wheel_sbom(name: str, locks: Sequence[str], version: str, epoch: int) -> str:
    """Return the SBOM of a wheel with the extras that the images have."""
    pinned = {part for lock in locks for part in sbom.locked(CHECKOUT / "requirements" / lock, _ENVIRONMENT)}
    return sbom.document(name, version, "application", pinned, epoch)


def _git(checkout: Path, *arguments: str) -> str:
    return commands.run(["git", *arguments], folder=checkout).stdout.strip()


def _print(paths: Sequence[Path]) -> None:
    for path in paths:
        print(path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description=__doc__)
    parser.add_argument(
        "--draft", action="store_true", help="allow uncommitted changes, and no section in the changelog"
    )
    parser.add_argument(
        "--folder", type=Path, default=CHECKOUT / "dist", help="where to write the files; emptied first (default: dist)"
    )
    parser.add_argument("--owner", default="OWNER", help="owner of the repository, in addresses")
    parser.add_argument(
        "--images",
        nargs="*",
        choices=list(images.TARGETS),
        default=list(images.TARGETS),
        help="architectures to build images for, as root on Debian; empty: no images (default: all)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
