"""Timeline: detects that Redis came back with older data (a lagging replica, an older snapshot).

Redis counts the operators' looks, in the sentinel of the epoch. The count only grows, unless Redis loses data.
So a look that finds fewer looks than an operator knows of has found older data. A restarted server has a new run id
as well, but a server that gets older data while it runs does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LOOKS: Final = 10**14  # as in prelude.lua


@dataclass(frozen=True, slots=True)
class LookCounts:
    """How many looks Redis had counted before and after one look. Equal if Redis refused to count."""

    before: int
    after: int


@dataclass(slots=True)
class Timeline:
    """The number of looks that Redis is known to have counted."""

    known: int = 0

    def learn(self, known: int) -> None:
        """Adopt the number of looks that another operator knew of."""
        if known <= MAX_LOOKS:
            self.known = max(self.known, known)

    def went_back(self, looks: LookCounts, known_when_sent: int) -> bool:
        """Return whether a look found older data.

        If so, every further look does, until another epoch is opened with `known`.

        `known_when_sent`: the number known when the look was sent, since replies to several looks may arrive in another
        order.
        """
        is_older = looks.before < known_when_sent
        self.known = min(max(self.known, looks.after) + is_older, MAX_LOOKS)
        return is_older
