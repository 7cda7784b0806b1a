"""Results of the demo: files for the user, and the closing lines."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.board import JobView
from demo.kubectl import ShownKubectl
from demo.places import Places

_TEXT_WIDTH = 100  # characters


class DemoFailedError(Exception):
    """The jobs of the demo did not end as expected."""


@dataclass(frozen=True)
class Account:
    """Facts about the finished job, for the closing lines."""

    seconds: float  # from the job's start to its end, by its status
    step_seconds: Mapping[str, float]
    meshes: tuple[Path, ...]
    previews: tuple[Path, ...]
    quality: Mapping[str, str]


def collect(kubectl: ShownKubectl, places: Places, view: JobView) -> Account:
    """Copy the outputs of a succeeded job from the worker's folder, with its final manifest.

    Raises DemoFailedError if the job did not succeed, or its files differ from its status.
    """
    job: dict[str, Any] = kubectl.read("get", f"recon/{view.name}")
    status = job["status"]
    if status["phase"] != "Succeeded":
        failure = status.get("failure") or {}
        raise DemoFailedError(
            f"The job {view.name} ended as {status['phase']}: {failure.get('reason', '')}\n{status.get('message', '')}"
        )
    folder = places.result(view.name)
    shutil.copytree(places.jobs / job["metadata"]["uid"] / "output", folder)
    (folder / "job.yaml").write_text(kubectl.quietly("get", f"recon/{view.name}", "-o", "yaml"))
    listed = {file["name"] for file in status["outputs"]["files"]}
    missing = sorted(name for name in listed if not (folder / name).is_file())
    meshes = tuple(sorted(folder.glob("*.glb")))
    previews = tuple(sorted(folder.glob("preview_*.png")))
    if missing or not meshes or not previews:
        raise DemoFailedError(f"The output of {view.name} is incomplete: {missing or sorted(listed)}")
    return Account(
        seconds=sum(view.step_seconds().values()),
        step_seconds=view.step_seconds(),
        meshes=meshes,
        previews=previews,
        quality=status.get("quality") or {},
    )


def check_cancelled(kubectl: ShownKubectl, places: Places, name: str) -> None:
    """Raise DemoFailedError unless a cancelled job is Cancelled and has left no files."""
    job: dict[str, Any] = kubectl.read("get", f"recon/{name}")
    if job["status"]["phase"] != "Cancelled":
        raise DemoFailedError(f"The job {name} ended as {job['status']['phase']} instead of Cancelled.")
    folder = places.jobs / job["metadata"]["uid"]
    if folder.exists():
        raise DemoFailedError(f"The cancelled job {name} left files in {folder}.")


def lines(account: Account, places: Places) -> list[str]:
    """Return the closing lines."""
    shown = [f"The photos became a mesh in {account.seconds:.0f} s, as its status reported:"]
    shown += [f"  {seconds:5.1f} s  {step}" for step, seconds in account.step_seconds.items()]
    if account.quality:
        quality = ", ".join(f"{name} {value}" for name, value in account.quality.items())
        shown += textwrap.wrap(quality, _TEXT_WIDTH, initial_indent="  ", subsequent_indent="  ")
    shown.append("Mesh (opens in any glTF viewer, such as Blender):")
    shown += [f"  {_file(path, places)}" for path in account.meshes]
    shown.append("Previews:")
    shown += [f"  {_file(path, places)}" for path in account.previews]
    shown.append(
        f"The job as it ended: {places.shown(account.meshes[0].with_name('job.yaml'))}; logs: {places.shown(places.logs)}/"
    )
    return shown


def _file(path: Path, places: Places) -> str:
    return f"{places.shown(path)}  ({path.stat().st_size / 1e6:.1f} MB)"
