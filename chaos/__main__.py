"""Command line of the fault runs: `python -m chaos`, which `make chaos` calls."""

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

from chaos.faults import all_faults
from chaos.judge import invariants, report
from chaos.running import JOBS_UNDER_WAY, ChaosRun, Options
from chaos.system.disk import MOUNTING, can_mount
from chaos.system.scenarios import LONG_SECONDS
from devcluster import DevclusterError

_INSIDE = "CHAOS_MAY_MOUNT"
_INTERRUPTED = 130
_SHORT_SECONDS = 95.0  # three minutes, with start and end
_SHORT_LONG_SECONDS = (10.0, 16.0)  # shorter jobs, so that the run ends soon after the last fault
_LONG_MINUTES = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status: 0 if every check passed."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(fault.name for fault in all_faults()))
        return 0
    inside = os.environ.pop(_INSIDE, None)
    if inside is None and can_mount():
        # Run again in a separate mount namespace, so that a full or read-only disk affects no other process.
        command = [*MOUNTING, sys.executable, "-m", "chaos", *(sys.argv[1:] if arguments is None else arguments)]
        os.execvpe(command[0], command, os.environ | {_INSIDE: "1"})  # noqa: S606 -- no shell is wanted
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_INTERRUPTED))  # an exception stops all parts
    try:
        return _perform(options, own_disk=inside is not None)
    except KeyboardInterrupt:
        print("chaos: interrupted; all processes were stopped", flush=True)
        return _INTERRUPTED
    except DevclusterError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1


def _perform(options: argparse.Namespace, *, own_disk: bool) -> int:
    begin = time.monotonic()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed

    def log(line: str) -> None:
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
    log(f"seed {seed}: a control plane, a Redis, two operators, three workers")
    with ChaosRun(wanted, own_disk=own_disk, log=log) as run:
        outcome = run.perform()
        rulings = invariants.judge(outcome.evidence)
        good = report.is_good(outcome, rulings)
        if not good or options.keep_logs:
            log(f"the logs are in {_keep_logs(run, seed)}")
    text = report.render(outcome, rulings)
    print(f"\n{text}")
    if options.report is not None:
        options.report.write_text(text)
    print("chaos: every check passed" if good else "chaos: BROKEN; see above", flush=True)
    return 0 if good else 1


def _keep_logs(run: ChaosRun, seed: int) -> Path:
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"chaos-{seed}-{time.strftime('%H%M%S')}"  # noqa: S108 -- named in the output
    folder.mkdir(mode=0o700)
    for path in run.scene.logs():
        shutil.copy(path, folder / path.name)
    shutil.copytree(run.scene.journal_dir, folder / "journal")
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chaos",
        description="Break everything around running jobs, and check that no job is lost and no effect happens twice.",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes", type=float, default=_LONG_MINUTES, help="how long to inject faults (default: %(default)g)"
    )
    length.add_argument("--short", action="store_true", help=f"{_SHORT_SECONDS:g} s of combined faults")
    parser.add_argument("--seed", type=int, help="seed of the plan (default: a random one, which is printed)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="only faults with this text in their name"
    )
    parser.add_argument(
        "--jobs", type=int, default=JOBS_UNDER_WAY, help="unfinished jobs at any moment (default: %(default)s)"
    )
    parser.add_argument("--patience", type=float, default=1.0, help="factor for all time limits, for a busy machine")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write the report to this file")
    parser.add_argument("--keep-logs", action="store_true", help="keep the logs even if every check passed")
    parser.add_argument("--list", action="store_true", help="print the names of all faults and exit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
