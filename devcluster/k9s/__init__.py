"""k9s itself: built once from its Go module, and used through a terminal as somebody at the keyboard does.

Rooms: `program` (the build), `terminal` (keys and screens, by tmux).
"""

from devcluster.k9s.program import PROGRAM, build
from devcluster.k9s.terminal import K9s

__all__ = ["PROGRAM", "K9s", "build"]
