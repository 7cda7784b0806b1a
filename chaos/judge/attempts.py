"""Invariant 2, attempts: two attempts never run together, unless a fault keeps the older one from noticing that it is superseded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from chaos.judge.case import Case, name, problem_if
from chaos.judge.excuses import could_know_at, was_forgotten


def runs_alone(case: Case) -> Iterator[str]:
    """No two attempts run at the same time once the older one could notice that it was superseded."""
    for older, newer in combinations(case.runs, 2):
        if older.last <= newer.start:
            yield ""
            continue
        # A fault that stopped the older run or cut it off may delay this.
        knows = could_know_at(older, newer.start, case.evidence)
        if knows is None and older.attempt == newer.attempt and was_forgotten(newer.start, case.evidence):
            knows = newer.start  # claimed twice between two heartbeats: the older run notices at its next one
        if knows is None:
            yield f"attempts {name(older)} and {name(newer)} ran at the same time, and no fault stopped or cut off the older one"
            continue
        late = older.last - knows
        yield problem_if(
            late > case.evidence.bounds.superseded,
            f"attempt {name(older)} ran on for {late:.1f} s after it could notice that {name(newer)} superseded it",
        )
