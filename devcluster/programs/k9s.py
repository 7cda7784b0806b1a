"""The program: k9s as its project releases it, pinned by the hashes in go.sum."""

from __future__ import annotations

from pathlib import Path

from devcluster.programs.building import GoProgram, built

PROGRAM = GoProgram(
    "k9s",
    "k9s",
    Path(__file__).with_name("go") / "k9s",
    ("k9s",),
    package="github.com/derailed/k9s",
    kubernetes=False,
)


def build() -> Path:
    """Return the program; builds it where that has not been done yet. Large: it takes as long as the control plane."""
    return built(PROGRAM) / "k9s"
