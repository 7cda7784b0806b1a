"""Command line of the demo: `python -m demo`, which `make demo` calls."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from rich.console import Console

from demo import gallery, keeping, photos, results, stage, story
from demo.display import Display
from demo.places import RECON, Places
from demo.watching import monotonic_since_now
from devcluster import DevclusterError, interrupts
from devcluster.files import CHECKOUT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status."""
    options = _parser().parse_args(arguments)
    places = Places(options.output.absolute())
    if options.stop:
        print(f"demo: {keeping.stop(places)}")
        return 0
    if options.keep or options.open:
        status = keeping.in_background(places, lambda leave_alone: _perform(options, places, leave_alone))
        if options.open and status == 0:
            os.execv(RECON, json.loads(places.running.read_text())["viewer"])  # noqa: S606 -- no shell is wanted
        return status
    interrupts.interruptible()
    return _perform(options, places, None)


def _perform(options: argparse.Namespace, places: Places, leave_alone: Callable[[list[str]], None] | None) -> int:
    try:
        clock = monotonic_since_now()
        display = Display(Console(highlight=False), clock)
        taken = photos.example() if options.photos is None else photos.own(options.photos, places)
        with keeping.only_one(places), ExitStack() as cleaning:
            cleaning.callback(places.clean)
            places.empty()
            photos.write(taken)
            with _stage(options.kubeconfig, places, taken, display) as ready, ExitStack() as ending:
                ending.callback(interrupts.uninterruptible)
                with ready.watched():
                    _play(ready, display, places, clock, taken)
                if leave_alone is not None:
                    leave_alone(_explain(ready, display, places, taken))
                    ready.hold()
            display.text(f"Everything is stopped and removed. The demo took {clock():.0f} s.")
    except KeyboardInterrupt:  # the usual end of a kept demo
        interrupts.uninterruptible()
        print("\ndemo: interrupted; everything is stopped and removed", file=sys.stderr)
        return keeping.INTERRUPTED
    except DevclusterError as error:
        print(f"\ndemo: {error}\nLogs, if there are any: {places.shown(places.logs)}/", file=sys.stderr)
        return 1
    return 0


def _stage(
    kubeconfig: str | None, places: Places, taken: photos.Photos, display: Display
) -> AbstractContextManager[stage.DemoServers]:
    if kubeconfig is None:
        return stage.own(places, taken, display)
    namespace = f"reconstruction-demo-{secrets.token_hex(3)}"
    return stage.theirs(str(Path(kubeconfig).expanduser().absolute()), namespace, places, taken, display)


def _play(
    ready: stage.DemoServers, display: Display, places: Places, clock: Callable[[], float], taken: photos.Photos
) -> None:
    board = story.play(ready.kubectl, display, clock, taken)
    for line in results.collect(ready.kubectl, places, board.jobs[taken.job]):
        display.text(line)


def _explain(ready: stage.DemoServers, display: Display, places: Places, taken: photos.Photos) -> list[str]:
    """Show what the user can do, and return the command that shows the mesh in the browser."""
    kubectl = ready.kubectl
    where = "" if kubectl.namespace == "default" else f" -n {kubectl.namespace}"
    display.title("Everything keeps running. In this or another terminal:")
    display.text(f"  export KUBECONFIG={kubectl.kubeconfig}")
    if shutil.which("kubectl") is None:
        display.text(f"  alias kubectl={kubectl.program}")
    display.text(f"  kubectl{where} get recon")
    display.text(f"  kubectl{where} apply -f manifests/examples/urgent.yaml")
    viewer = [places.shown(RECON), "open", places.shown(places.result(taken.job))]
    if ready.gallery:
        account = ["--account", gallery.USER, "--kubeconfig", kubectl.kubeconfig]
        viewer[2:] = [taken.job, "--gallery", ready.gallery, *account]
    display.text(f"The mesh in the browser:\n  {shlex.join(viewer)}")
    if ready.gallery:
        display.text(f"Or open {ready.gallery} and sign in with the token in {places.shown(places.token)}")
    display.text("To stop and remove everything:")
    display.text("  make demo-stop")
    return viewer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="From photos to a mesh by kubectl apply.")
    parser.add_argument("--keep", action="store_true", help="keep everything running at the end")
    parser.add_argument("--open", action="store_true", help="keep everything running, and show the mesh in the browser")
    parser.add_argument("--stop", action="store_true", help="stop the demo that an earlier --keep left running")
    parser.add_argument("--photos", metavar="FOLDER", type=Path, help="your own photos instead of the bananas")
    parser.add_argument("--kubeconfig", metavar="FILE", help="use this cluster instead of a temporary one")
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, default=CHECKOUT / "demo-output", help="where to write the results"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
