"""Story of the demo: a user's commands in order."""

from __future__ import annotations

import time
from collections.abc import Callable

from demo.board import Board
from demo.display import Display
from demo.kubectl import ShownKubectl
from demo.photos import Photos
from demo.watching import Watching

_CANCELLED = "manifests/examples/placeholder.yaml"
_READING_SECONDS = 2.0  # between the two steps of the cancel: time to read the first
_STEP_TIMEOUT = "120s"


def play(kubectl: ShownKubectl, display: Display, clock: Callable[[], float], photos: Photos) -> Board:
    """Run two jobs: photos become a mesh, and a placeholder is cancelled in two steps. Return their last state."""
    with display, Watching(kubectl, display.board, clock) as watching:
        display.title(f"Two jobs: {photos.job}, whose photos become a mesh, and a placeholder, which is cancelled")
        for manifest in (photos.manifest, _CANCELLED):
            display.output(kubectl.run("apply", "-f", manifest))
        _cancel(kubectl, display)
        display.detail("The photos become a mesh")
        kubectl.run("wait", "--for=condition=Finished", f"recon/{photos.job}", f"--timeout={photos.timeout}")
        _until_shown(watching, photos.job)
        board = watching.board
    if display.verbose:
        display.title("How it ended")
        display.output(kubectl.run("get", "recon"))
    return board


def _cancel(kubectl: ShownKubectl, display: Display) -> None:
    job = "recon/placeholder"
    kubectl.run("wait", "--for=jsonpath={.status.phase}=Running", job, f"--timeout={_STEP_TIMEOUT}")
    display.detail("The placeholder is cancelled in two steps")
    display.detail("A confirmation without a request is refused, by the API server itself:")
    refusal = kubectl.refused("patch", *_spec(job, '{"cancelConfirmed": true}'))
    display.refusal(refusal)
    display.detail("Step one, the request. The job continues, and the request may still be withdrawn:")
    display.output(kubectl.run("patch", *_spec(job, '{"cancelRequested": true}')))
    kubectl.run("wait", "--for=condition=CancelRequested", job, f"--timeout={_STEP_TIMEOUT}")
    time.sleep(_READING_SECONDS)
    display.detail("Step two, the confirmation. This is final; the job stops, and its files are deleted:")
    display.output(kubectl.run("patch", *_spec(job, '{"cancelConfirmed": true}')))
    display.output(kubectl.run("wait", "--for=condition=Cancelled", job, f"--timeout={_STEP_TIMEOUT}"))
    if not display.verbose:
        display.text(f"The placeholder is cancelled in two steps. One alone was refused: {refusal.partition(': ')[2]}")


def _spec(job: str, fields: str) -> tuple[str, ...]:
    return (job, "--type=merge", "-p", f'{{"spec": {fields}}}')


def _until_shown(watching: Watching, job: str) -> None:
    """Wait until our watch shows the end, which `kubectl wait` may see a moment earlier."""
    deadline = time.monotonic() + 10.0
    while not ((view := watching.board.jobs.get(job)) and view.finished) and time.monotonic() < deadline:
        time.sleep(0.05)
