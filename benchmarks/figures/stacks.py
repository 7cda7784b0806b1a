"""Stacks: reads the output of sampling profilers, and divides the samples among subjects.

A sample belongs to the first subject whose pattern matches any frame of its stack, so specific subjects come first. Samples that
no subject matches are `REST`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

Sample = tuple[Sequence[str], int]
"""The frames of one stack, and the number of its samples."""

Subjects = Sequence[tuple[str, str]]
"""(name, regular expression) pairs."""

REST: Final = "the rest"
_LOCATION: Final = re.compile(r"^ *(\d+): 0x[0-9a-f]+ (?:M=\d+ )?(\S+)")
_SAMPLE: Final = re.compile(r"^ *(\d+) +\d+: ([\d ]+)$")


def folded(text: str) -> Iterator[Sample]:
    """Yield the samples of `py-spy record --format raw`: in each line, frames separated by semicolons, and a count."""
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if stack and count.isdigit():
            yield stack.split(";"), int(count)


def pprof(text: str) -> Iterator[Sample]:
    """Yield the samples of `go tool pprof -raw`: counts with numbers of locations, each of which lists functions."""
    samples, _, rest = text.partition("\nLocations\n")
    functions: dict[str, list[str]] = {}
    current: list[str] = []
    for line in rest.partition("\nMappings\n")[0].splitlines():
        if found := _LOCATION.match(line):
            current = functions.setdefault(found[1], [])
            current.append(found[2])
        elif line.strip():  # inlined into the function above
            current.append(line.split()[0])
    for line in samples.splitlines():
        if found := _SAMPLE.match(line):
            yield [name for number in found[2].split() for name in functions.get(number, ())], int(found[1])


def shares(samples: Iterable[Sample], subjects: Subjects) -> dict[str, float]:
    """Return the percentage of each subject with samples, largest first, the rest last."""
    patterns = [(name, re.compile(pattern)) for name, pattern in subjects]
    counts: Counter[str] = Counter()
    for frames, count in samples:
        stack = "\n".join(frames)
        counts[next((name for name, pattern in patterns if pattern.search(stack)), REST)] += count
    total = counts.total()
    ranked = sorted(counts, key=lambda name: (name == REST, -counts[name]))
    return {name: 100 * counts[name] / total for name in ranked}
