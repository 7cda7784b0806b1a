"""Command line of the generator: writes generated files, or with `--check` only reports outdated ones."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import mdformat

from benchmarks import document
from scripts.generate import chart, crd, docs, integrations, manifests, prices, renders
from scripts.paths import CHECKOUT, read

SUBJECTS: Final[Mapping[str, Callable[[], Mapping[str, str]]]] = {
    "chart": chart.files,
    "crd": crd.files,
    "docs": docs.files,
    "integrations": integrations.files,
    "manifests": manifests.files,
    "performance": document.files,
    "prices": prices.files,
    "renders": renders.files,
}
"""Subject -> function that returns path in the checkout -> content."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files. Return 1 if `--check` finds an outdated file."""
    parser = argparse.ArgumentParser(prog="python -m scripts.generate", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="what", help=f"some of: {', '.join(SUBJECTS)} (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    given = parser.parse_args(arguments)
    if unknown := set(given.what) - SUBJECTS.keys():
        parser.error(f"cannot generate {', '.join(sorted(unknown))}; known: {', '.join(SUBJECTS)}")
    made = {
        name: _wrapped(name, text) for subject in given.what or SUBJECTS for name, text in SUBJECTS[subject]().items()
    }
    outdated = {name: text for name, text in made.items() if not _is_current(CHECKOUT / name, text)}
    for name, content in outdated.items():
        if given.check:
            print(f"generate: {name} is out of date: run `make generate`", file=sys.stderr)
        else:
            (CHECKOUT / name).parent.mkdir(parents=True, exist_ok=True)
            (CHECKOUT / name).write_text(content)
            print(f"generate: wrote {name}")
    return 1 if given.check and outdated else 0


def _wrapped(name: str, text: str) -> str:
    """Return a page as `make format` writes it, and any other text as it is."""
    if not name.endswith(".md"):
        return text
    options = tomllib.loads(read(".mdformat.toml"))
    return mdformat.text(text, options=options, extensions=options["extensions"])


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
