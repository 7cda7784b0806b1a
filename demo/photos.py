"""Photos of the demo: the bananas in examples/, or the user's (`make demo PHOTOS=FOLDER`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from kubectl_recon.commands import submitting
from kubectl_recon.errors import UsageError

from demo.places import DemoError, Places
from devcluster.files import CHECKOUT

_EXAMPLE = "manifests/examples/banana.yaml"
_NAME_CHARACTERS = 50


@dataclass(frozen=True)
class Photos:
    """The job that reconstructs the photos. `manifest`: the file to apply; `folder`: the workers' /photos/JOB."""

    job: str
    manifest: str
    folder: Path
    timeout: str


def example() -> Photos:
    """Return the photos of bananas."""
    return Photos("banana", _EXAMPLE, CHECKOUT / "examples" / "photos" / "banana", "15m")


def own(folder: Path, places: Places) -> Photos:
    """Return the user's folder as a job with its name; `write` writes the manifest. Raises DemoError."""
    if not folder.is_dir():
        raise DemoError(f"There is no folder {folder}: PHOTOS=... names a folder of photos.")
    if not any(path.is_file() for path in folder.rglob("*")):
        raise DemoError(f"{folder} has no files: PHOTOS=... names a folder of photos, preferably 20 or more.")
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:_NAME_CHARACTERS].strip("-")
    job = name if name not in ("", "placeholder") else "photos"
    return Photos(job, str(places.root / f"{job}.yaml"), folder.resolve(), "6h")


def check(photos: Photos) -> bool:
    """Print what `kubectl recon submit` finds in the photos, and return whether a mesh of them is possible."""
    try:
        files = sorted(photos.folder.glob("*.jpg")) if photos.manifest == _EXAMPLE else [photos.folder]
        submitting.check([str(file) for file in files], force=False)
    except UsageError:  # its reasons are printed
        return False
    return True


def write(photos: Photos) -> None:
    """Write the manifest of the user's photos: the example's with the job's name."""
    if photos.manifest == _EXAMPLE:
        return
    body = yaml.safe_load((CHECKOUT / _EXAMPLE).read_text())
    body["metadata"]["name"] = photos.job
    body["spec"]["input"]["uri"] = f"file:///photos/{photos.job}"
    Path(photos.manifest).write_text(yaml.safe_dump(body, sort_keys=False))
