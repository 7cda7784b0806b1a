"""First mesh: the engine alone reconstructs the photos while the control plane is built, so that a newcomer waits
seconds, not minutes.

`recon run` does it, in a process with normal priority; the compiler has a low one.
"""

from __future__ import annotations

import os
import re
import threading
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.jobfiles import kept_stages, layout
from reconstruction_operator.jobfiles.kept_stages import of_namespace
from reconstruction_operator.worker.local.run import KEPT_STAGES

from demo.photos import Photos
from demo.places import RECON, Places
from devcluster.servers.processes import Process
from devcluster.servers.running import Running

_POLL_SECONDS = 0.3
_ADDRESS_SECONDS = 20.0  # until the viewer prints its address, which takes a second
_PROGRESS = re.compile(r"^ *(\d+% .*\S)$", re.MULTILINE)
_ADDRESS = re.compile(r"^(http://\S+)$", re.MULTILINE)


class FirstMesh(Running):
    """A run of the engine, and then a viewer of its mesh, for as long as a `with` block.

    `tell` gets sentences for the user, from a thread; `shows` says whether the browser shows the mesh.
    """

    name = "first-mesh"

    def __init__(self, photos: Photos, places: Places, tell: Callable[[str], None], *, shows: bool) -> None:
        self._photos = photos
        self._places = places
        self._tell = tell
        self._shows = shows
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="first mesh", daemon=True)

    def progress(self) -> str:
        """Return how far the run is, for a progress line; empty after its end."""
        if not self._thread.is_alive():
            return ""
        reports = _PROGRESS.findall(self._log("engine"))
        return f"your mesh: {reports[-1]}" if reports else "your mesh: reading the photos"

    def wait(self) -> None:
        """Return when the run has ended, and its end was told."""
        while self._thread.is_alive():  # a join without a timeout could not be interrupted
            self._thread.join(_POLL_SECONDS)

    def give_stages(self, install_id: str, namespace: str, namespace_uid: str) -> bool:
        """Move the stages of the run to where that namespace's jobs find them, and return whether there are any.

        A job with the same photos and parameters then continues from them.
        """
        kept = list(kept_stages.entries(self.folder / KEPT_STAGES))
        for run in kept:
            digest = of_namespace(run.digest, JobRef(namespace, "", "", install_id, namespace_uid))
            kept_stages.keep(
                layout.kept_stages(self._places.jobs), run.path, digest, run.job_id, tenant=layout.tenant(namespace)
            )
        return bool(kept)

    def stop(self) -> None:
        """End the run and the viewer, and remove their temporary files."""
        self._over.set()  # the thread starts no viewer any more
        if self._thread.is_alive():
            self._thread.join()
        super().stop()

    def _start(self) -> None:
        # The check of the photos has been shown already.
        options: list[str | Path] = ["--output-dir", self._folder, "--quality", "fast", "--force"]
        temporary = {"TMPDIR": str(self.folder), "XDG_CACHE_HOME": str(self.folder)}
        self._launch("engine", [RECON, "run", self._photos.folder, *options], os.environ | temporary)
        self._thread.start()

    def _end(self, process: Process) -> None:
        process.stop()  # the engine ends its children, and removes what it has written

    @property
    def _folder(self) -> Path:
        return self._places.first_mesh

    def _follow(self) -> None:
        began = time.monotonic()
        while self.processes["engine"].alive:
            if self._over.wait(_POLL_SECONDS):
                return
        if not (self._folder / "model.glb").exists():
            reason = self._log("engine").strip().rpartition("\n")[2]
            self._tell(f"The engine alone made no mesh of these photos: {reason}")
            return
        seconds = time.monotonic() - began
        self._tell(f"Your mesh, by the engine alone, after {seconds:.0f} s: {self._where()}")

    def _where(self) -> str:
        """Show the mesh in the browser if that is wanted and there is one, and return where it is."""
        mesh = self._places.shown(self._folder / "model.glb")
        if not self._shows:
            return f"{mesh} ({self._places.shown(RECON)} open {self._places.shown(self._folder)} shows it)"
        if not _has_browser():
            return (
                f"{mesh}; no browser was found, but {self._places.shown(self._folder / 'preview_0.png')} "
                "is a picture of it"
            )
        self._launch("viewer", [RECON, "open", self._folder])
        until = time.monotonic() + _ADDRESS_SECONDS
        while not (addresses := _ADDRESS.findall(self._log("viewer"))) and time.monotonic() < until:
            if self._over.wait(_POLL_SECONDS):
                break
        return f"{mesh}, in the browser" + (f" at {addresses[0]}" if addresses else "")

    def _log(self, process: str) -> str:
        return (self.folder / f"{process}.log").read_text(errors="replace")


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
