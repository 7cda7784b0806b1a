"""The command `python -m chaos`; the Makefile calls it as `make chaos`."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from chaos import invariants, report
from chaos.faults import all_faults
from chaos.load import LONG_SECONDS
from chaos.running import JOBS_UNDER_WAY, Options, Run
from chaos.scene import MOUNTING, can_mount
from devcluster import DevclusterError

_INSIDE = "CHAOS_MAY_MOUNT"
_INTERRUPTED = 130
_SHORT_SECONDS = 95.0  # three minutes, with the beginning and the end
_SHORT_LONG_SECONDS = (10.0, 16.0)  # so that it is over soon after the last fault
_LONG_MINUTES = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and return the exit status: 0 if nothing was broken."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(one.name for one in all_faults()))
        return 0
    inside = os.environ.pop(_INSIDE, None)
    if inside is None and can_mount():
        # The same program again, where it may fill a disk and make it read-only without anybody else noticing.
        command = [*MOUNTING, sys.executable, "-m", "chaos", *(sys.argv[1:] if arguments is None else arguments)]
        os.execvpe(command[0], command, os.environ | {_INSIDE: "1"})  # noqa: S606 -- no shell is wanted
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_INTERRUPTED))  # so that everything is stopped on the way out
    try:
        return _perform(options, own_disk=inside is not None)
    except KeyboardInterrupt:
        print("chaos: stopped; everything that ran has been ended", flush=True)
        return _INTERRUPTED
    except DevclusterError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1


def _perform(options: argparse.Namespace, *, own_disk: bool) -> int:
    begin = time.monotonic()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed

    def say(line: str) -> None:
        print(f"{time.monotonic() - begin:7.1f} s  {line}", flush=True)

    wanted = Options(
        seconds=_SHORT_SECONDS if options.short else options.minutes * 60,
        seed=seed,
        only=tuple(options.only),
        alone_first=not options.short and not options.only,
        target=options.jobs,
        patience=options.patience,
        long_seconds=_SHORT_LONG_SECONDS if options.short else LONG_SECONDS,
        empties=not options.short,
    )
    say(f"seed {seed}: a control plane, a Redis, two operators, three workers")
    with Run(wanted, own_disk=own_disk, say=say) as run:
        outcome = run.perform()
        verdicts = invariants.judge(outcome.evidence)
        good = report.is_good(outcome, verdicts)
        if not good or options.keep_logs:
            say(f"the logs are in {_keep_logs(run, seed)}")
    text = report.render(outcome, verdicts)
    print(f"\n{text}")
    if options.report is not None:
        options.report.write_text(text)
    print("chaos: nothing was broken" if good else "chaos: BROKEN; see above", flush=True)
    return 0 if good else 1


def _keep_logs(run: Run, seed: int) -> Path:
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"chaos-{seed}-{time.strftime('%H%M%S')}"  # noqa: S108 -- named in the output
    folder.mkdir(mode=0o700)
    for log in run.scene.logs():
        shutil.copy(log, folder / log.name)
    shutil.copytree(run.scene.journal_dir, folder / "journal")
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chaos",
        description="Break everything around running jobs, and check that nothing is lost and nothing happens twice.",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=_LONG_MINUTES, help="of faults (default: %(default)g)")
    length.add_argument("--short", action="store_true", help=f"{_SHORT_SECONDS:g} s of combined faults")
    parser.add_argument("--seed", type=int, help="of the plan (default: a new one, which is printed)")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="faults with this in their name")
    parser.add_argument(
        "--jobs", type=int, default=JOBS_UNDER_WAY, help="under way at any moment (default: %(default)s)"
    )
    parser.add_argument(
        "--patience", type=float, default=1.0, help="a factor for what counts as too long, on a machine that is busy"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report there as well")
    parser.add_argument("--keep-logs", action="store_true", help="also where nothing was broken")
    parser.add_argument("--list", action="store_true", help="the names of all faults, and nothing else")
    return parser


if __name__ == "__main__":
    sys.exit(main())
