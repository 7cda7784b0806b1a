"""Packages of a release: wheels and source archives by the pinned build backend, and the chart's package."""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
from pathlib import Path

from devcluster import commands
from devcluster.programs.helm import helm
from scripts.paths import CHART, CHECKOUT


def build_python(folder: Path, epoch: int) -> None:
    """Build wheel and source archive of the program, of the kubectl plugin and of the gallery.

    They are reproducible, because hatchling sets every date to `epoch`.
    """
    for project in (CHECKOUT, CHECKOUT / "plugin", CHECKOUT / "gallery"):
        commands.run(
            [sys.executable, "-m", "hatchling", "build", "--directory", folder],
            folder=project,
            environment={"SOURCE_DATE_EPOCH": str(epoch)},
        )


def build_chart(folder: Path, epoch: int) -> None:
    """Package the chart. Helm writes the current time into each entry, so rewrite the archive with `epoch`."""
    before = {*folder.iterdir()}
    helm("package", CHECKOUT / CHART, "--destination", folder)
    (package,) = {*folder.iterdir()} - before
    package.write_bytes(dated(package.read_bytes(), epoch))


def build_headlamp(folder: Path, epoch: int, owner: str) -> None:
    """Package the plugin of Headlamp, and write Artifact Hub's metadata."""
    environment = {"OWNER": owner, "SOURCE_DATE_EPOCH": str(epoch)}
    script = CHECKOUT / "scripts/headlamp"
    commands.run([script, "release", folder], environment=environment, timeout_seconds=7200)


def dated(archive: bytes, epoch: int) -> bytes:
    """Return the .tar.gz with one date and one owner for all entries, sorted by name."""
    content = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=content, mode="w") as new:
        # Helm reads Chart.yaml from the first entries.
        for entry in sorted(
            old.getmembers(), key=lambda member: (not member.name.endswith("/Chart.yaml"), member.name)
        ):
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = epoch, 0, 0, "", ""
            new.addfile(entry, old.extractfile(entry))
    return gzip.compress(content.getvalue(), compresslevel=6, mtime=0)
