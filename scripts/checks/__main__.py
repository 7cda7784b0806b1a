"""Command line of the checks: `python -m scripts.checks` prints all violations, and fails if there are any."""

from __future__ import annotations

import sys

from scripts.checks import assignments, bases, circles, layout, licences, lockfiles, pages, settings, texts, versions
from scripts.paths import CHECKOUT


def main() -> int:
    """Run all checks on this checkout, and return the exit status."""
    problems = [
        f"{check.__name__.rpartition('.')[2]}: {problem}"
        for check in (layout, circles, assignments, lockfiles, bases, licences, texts, pages, settings, versions)
        for problem in check.problems(CHECKOUT)
    ]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
