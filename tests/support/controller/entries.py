"""Entries of jobs, in a cache or alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reconstruction_operator.api.status import Status
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache

from tests.support.jobs import make_job, make_key


def make_entry(name: str = "banana", namespace: str = "default", status: Status | None = None) -> Entry:
    """Return the entry of a job that no cache holds."""
    return Entry(replace(make_job(status), key=make_key(name, namespace)))


def entry_of(cache: Cache, name: str = "banana") -> Entry:
    """Return the entry of a job that the cache holds."""
    entry = cache.entry(make_key(name).uid)
    assert entry is not None
    return entry


def names(entries: Iterable[Entry]) -> list[str]:
    """Return the names of their jobs, in order."""
    return [entry.key.name for entry in entries]
