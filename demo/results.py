"""Results of the demo: files for the user, and the closing lines."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import Any

from reconstruction_operator.api.verdict import Verdict

from demo.board import JobView
from demo.kubectl import ShownKubectl
from demo.places import RECON, DemoError, Places
from devcluster import commands

_TEXT_WIDTH = 100  # characters


def failure(kubectl: ShownKubectl, places: Places, job: str) -> str:
    """Return why a job has no mesh, with what to do, as `kubectl recon why` says it; empty if it has succeeded."""
    if kubectl.read("get", f"recon/{job}")["status"]["phase"] == "Succeeded":
        return ""
    where = ["--kubeconfig", kubectl.kubeconfig, "--namespace", kubectl.namespace]
    answer = commands.run([RECON, "why", job, *where], folder=places.root, check=False).stdout.strip()
    return answer.partition("\n")[2] or answer  # the first line is the phase, which the demo has shown


def collect(kubectl: ShownKubectl, places: Places, view: JobView, *, verbose: bool) -> list[str]:
    """Copy the outputs of a succeeded job from the worker's folder, with its final manifest, and return the closing
    lines.

    Raises DemoError if its files differ from its status.
    """
    job: dict[str, Any] = kubectl.read("get", f"recon/{view.name}")
    status = job["status"]
    folder = places.result(view.name)
    shutil.copytree(places.jobs / job["metadata"]["uid"] / "output", folder)
    (folder / "job.yaml").write_text(kubectl.quietly("get", f"recon/{view.name}", "-o", "yaml"))
    listed = {file["name"] for file in status["outputs"]["files"]}
    missing = sorted(name for name in listed if not (folder / name).is_file())
    meshes = sorted(folder.glob("*.glb"))
    previews = sorted(folder.glob("preview_*.png"))
    if missing or not meshes or not previews:
        raise DemoError(f"The output of {view.name} is incomplete: {missing or sorted(listed)}")
    steps = view.step_seconds()
    shown = [status["message"]] if status["verdict"] != Verdict.FINE else []
    resumed = status["progress"].get("resumedFrom")
    took = f"The photos became a mesh in {sum(steps.values()):.0f} s" + (
        f", continued from {resumed}" if resumed else ""
    )
    if not verbose:
        return [*shown, f"{took}: {_file(meshes[0], places)}, with previews and the job as it ended beside it"]
    shown.append(f"{took}, as its status reported:")
    shown += [f"  {seconds:5.1f} s  {step}" for step, seconds in steps.items()]
    quality = ", ".join(f"{name} {value}" for name, value in (status.get("quality") or {}).items())
    shown += textwrap.wrap(quality, _TEXT_WIDTH, initial_indent="  ", subsequent_indent="  ")
    shown.append("Mesh (opens in any glTF viewer, such as Blender):")
    shown += [f"  {_file(path, places)}" for path in meshes]
    shown.append("Previews:")
    shown += [f"  {_file(path, places)}" for path in previews]
    shown.append(f"The job as it ended: {places.shown(folder / 'job.yaml')}; logs: {places.shown(places.logs)}/")
    return shown


def _file(path: Path, places: Places) -> str:
    return f"{places.shown(path)}  ({path.stat().st_size / 1e6:.1f} MB)"
