"""Command line of the demo, which `make demo` calls."""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from demo import gallery, keeping, photos, results, stage, story
from demo.display import Display
from demo.first_mesh import FirstMesh
from demo.places import RECON, DemoError, Places
from demo.watching import monotonic_since_now
from devcluster import DevclusterError, interrupts
from devcluster.files import CHECKOUT
from devcluster.programs.cache import ERASE_LINE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status."""
    options = _parser().parse_args(arguments)
    places = Places(options.output.absolute())
    if options.stop:
        print(f"demo: {keeping.stop(places)}")
        return 0
    if options.show:
        _show(places)
    if options.keep or options.open:
        status = keeping.in_background(places, lambda leave_alone: _perform(options, places, leave_alone))
        if options.open and status == 0:
            _show(places)
        return status
    interrupts.interruptible()
    return _perform(options, places, None)


def _show(places: Places) -> NoReturn:
    """Become the program that shows the mesh of the kept demo, at a new one-time address.

    Without a demo, exit with status 1.
    """
    try:
        viewer = keeping.viewer(places)
    except DemoError as error:
        sys.exit(f"demo: {error}")
    os.execv(viewer[0], viewer)  # noqa: S606 -- no shell is wanted


def _perform(options: argparse.Namespace, places: Places, leave_alone: Callable[[list[str]], None] | None) -> int:
    try:
        clock = monotonic_since_now()
        display = Display(Console(highlight=False), clock, verbose=options.verbose)
        taken = photos.example() if options.photos is None else photos.own(options.photos, places)
        fits = photos.check(taken)
        stays = leave_alone is not None or sys.stdin.isatty()
        if not fits and not stays:
            raise DemoError(
                "These photos would make no mesh. KEEP=1 runs the demo all the same, and keeps it for others."
            )
        with keeping.only_one(places), ExitStack() as cleaning:
            cleaning.callback(places.clean)
            places.empty()
            photos.write(taken)
            first = FirstMesh(taken, places, _told(display), shows=options.open) if fits else None
            with _stage(options.kubeconfig, places, taken, display, first) as ready, ExitStack() as ending:
                ending.callback(interrupts.uninterruptible)
                with ready.watched():
                    failure = _play(ready, display, places, clock, taken)
                if leave_alone is not None or (failure and stays):
                    viewer = _explain(ready, display, places, taken, failure)
                    stop = "press Ctrl-C" if leave_alone is None else "make demo-stop"
                    display.text(f"To stop and remove everything: {stop}")
                    if leave_alone is not None:
                        leave_alone(viewer)
                    ready.hold()
            display.text(f"Everything is stopped and removed. The demo took {clock():.0f} s.")
        if failure:
            return 1
    except KeyboardInterrupt:  # the usual end of a kept demo
        interrupts.uninterruptible()
        print("\ndemo: interrupted; everything is stopped and removed", file=sys.stderr)
        return keeping.INTERRUPTED
    except DevclusterError as error:
        print(f"\ndemo: {error}\nLogs, if there are any: {places.shown(places.logs)}/", file=sys.stderr)
        return 1
    return 0


def _told(display: Display) -> Callable[[str], None]:
    """Return a function that shows a sentence above the progress line of a build."""

    def tell(text: str) -> None:
        if display.live:
            print(ERASE_LINE, end="", file=sys.stderr, flush=True)
        display.text(text)

    return tell


def _stage(
    kubeconfig: str | None, places: Places, taken: photos.Photos, display: Display, first: FirstMesh | None
) -> AbstractContextManager[stage.DemoServers]:
    if kubeconfig is None:
        return stage.own(places, taken, display, first=first)
    namespace = f"reconstruction-demo-{secrets.token_hex(3)}"
    return stage.theirs(str(Path(kubeconfig).expanduser().absolute()), namespace, places, taken, display)


def _play(
    ready: stage.DemoServers, display: Display, places: Places, clock: Callable[[], float], taken: photos.Photos
) -> str:
    """Run the story, show its results, and return why there is no mesh; empty if there is one."""
    board = story.play(ready.kubectl, display, clock, taken)
    failure = results.failure(ready.kubectl, places, taken.job)
    shown = (
        [failure] if failure else results.collect(ready.kubectl, places, board.jobs[taken.job], verbose=display.verbose)
    )
    for line in shown:
        display.text(line)
    return failure


def _explain(
    ready: stage.DemoServers, display: Display, places: Places, taken: photos.Photos, failure: str
) -> list[str]:
    """Show what the user can do, and return the command that shows the job in the browser."""
    kubectl = ready.kubectl
    where = "" if kubectl.namespace == "default" else f" -n {kubectl.namespace}"
    display.title("Everything keeps running. In this or another terminal:")
    if shutil.which("kubectl") is None:
        display.text(f"  alias kubectl={kubectl.program}")
    display.text(f"  export KUBECONFIG={kubectl.kubeconfig}; kubectl{where} get recon")
    display.detail(f"  kubectl{where} apply -f manifests/examples/urgent.yaml")
    viewer = [places.shown(RECON), "open", places.shown(places.result(taken.job))]
    if ready.gallery:
        account = ["--account", gallery.USER, "--write", "--kubeconfig", kubectl.kubeconfig]
        viewer[2:] = [taken.job, "--gallery", ready.gallery, *account]
    if ready.gallery:
        if failure:
            display.text(
                f"Other photos: drop them on {ready.gallery}, signed in with the token in {places.shown(places.token)}"
            )
        display.text(f"In the browser, signed in, at {ready.gallery}: make demo-open")
    elif not failure:
        display.text("The mesh in the browser: make demo-open")
    if ready.gallery or not failure:
        display.detail(f"  which is {shlex.join(viewer)}")
    return [str(RECON), *viewer[1:]] if ready.gallery or not failure else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="From photos to a mesh by kubectl apply.")
    parser.add_argument("--keep", action="store_true", help="keep everything running at the end")
    parser.add_argument("--open", action="store_true", help="keep everything running, and show the mesh in the browser")
    parser.add_argument("--stop", action="store_true", help="stop the demo that an earlier --keep left running")
    parser.add_argument("--show", action="store_true", help="show the mesh of a kept demo, at a new one-time address")
    parser.add_argument("--verbose", action="store_true", help="show each command with its output, and each Event")
    parser.add_argument("--photos", metavar="FOLDER", type=Path, help="your own photos instead of the bananas")
    parser.add_argument("--kubeconfig", metavar="FILE", help="use this cluster instead of a temporary one")
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, default=CHECKOUT / "demo-output", help="where to write the results"
    )
    return parser
