"""Sizing: extrapolates the figures to other numbers of jobs. Omits what was not measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from benchmarks.report import Result

MILLION: Final = 1_000_000
SHARDS: Final = 3
_JOBS: Final = re.compile(r"([\d,]+) jobs, ours")
_OBJECTS: Final = re.compile(r"([\d,]+) objects, growth")
_PARTS: Final = ("operator", "kube-apiserver", "etcd", "redis")
_DAY_SECONDS: Final = 86_400
_KIB: Final = 1024
_GIB: Final = 2**30
_HOUR_SECONDS: Final = 3600


def sizing(results: Sequence[Result]) -> list[str]:
    """Return the lines of a Markdown list."""
    jobs = _largest(results, _JOBS)
    return [*_of_jobs(jobs), *_of_memory(results, jobs)] if jobs else []


def _of_jobs(jobs: Result) -> Iterable[str]:
    cpu = {part: jobs.median(f"CPU of {part}, ms/job") for part in _PARTS if f"CPU of {part}, ms/job" in jobs.figures()}
    cores = ", ".join(f"{part} {1000 / used:,.0f} jobs/s" for part, used in cpu.items() if used)
    yield f"- One full core is enough for: {cores} (from `{jobs.name}`)."
    rate = jobs.median("jobs/s")
    yield (
        f"- {rate:.0f} jobs/s on this machine are {rate * _DAY_SECONDS / MILLION:.1f} million jobs a day, or"
        f" {rate * 600:,.0f} workers that are busy with jobs of ten minutes; with fewer workers, the workers are the limit."
    )
    average = MILLION / _DAY_SECONDS
    shares = ", ".join(f"{part} {average * used / 10:.0f} %" for part, used in cpu.items())
    yield f"- **A million jobs a day**, evenly: {average:.0f} jobs/s; of one core, {shares}."
    yield f"- **A million jobs at once** finish after {MILLION / rate / _HOUR_SECONDS:.1f} h, if workers are not the limit."


def _of_memory(results: Sequence[Result], jobs: Result) -> Iterable[str]:
    if "object, bytes" in jobs.figures():
        size = jobs.median("object, bytes")
        yield (
            f"- A finished job is an object of {size / _KIB:.1f} KiB: {_GIB / size / 1000:,.0f} thousand of them in each GiB of etcd,"
            f" and {MILLION * size / _GIB:.1f} GiB for a million, beside etcd's history of them."
        )
    grown = sorted(
        (_number(match[1]), result)
        for result in results
        if (match := _OBJECTS.fullmatch(result.name)) and result.repetitions
    )
    if len(grown) > 1:
        (few, small), (many, large) = grown[0], grown[-1]
        base, most = (one.median("memory, MiB: operator") for one in (small, large))
        each = (most - base) / (many - few)
        whole = base + each * MILLION
        yield (
            f"- The operator holds {base:.0f} MiB, and {each * _KIB:.2f} KiB for each finished job: {whole / _KIB:.1f} GiB for a million,"
            f" {(base + each * MILLION / SHARDS) / _KIB:.1f} GiB in each of {SHARDS} shards."
        )


def _largest(results: Sequence[Result], pattern: re.Pattern[str]) -> Result | None:
    found = [(_number(match[1]), one) for one in results if (match := pattern.fullmatch(one.name)) and one.repetitions]
    return max(found, key=lambda each: each[0])[1] if found else None


def _number(text: str) -> int:
    return int(text.replace(",", ""))
