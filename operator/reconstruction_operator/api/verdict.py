"""Verdict: what to think of a job. Decided once, and stored in its status beside the sentence to it, `message`."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from typing import Any, Final


class Verdict(enum.StrEnum):
    """What to think of a job."""

    FINE = "Fine"
    WARNING = "Warning"  # a result of poor quality, or a job that is held up
    SIMULATED = "Simulated"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


_STUCK: Final = frozenset({"QueueUnserved", "ModelUnserved", "NoWorker", "AwaitingWorker", "BackingOff"})


def verdict(phase: str | None, *, simulated: bool, warning: str, reasons: Collection[str] = ()) -> Verdict | None:
    """Return the verdict; None for an unfinished job without trouble. `reasons`: of the job's conditions.

    A simulation counts before a warning: it says nothing about the photos.
    """
    if phase == "Succeeded":
        good = Verdict.WARNING if warning else Verdict.FINE
        return Verdict.SIMULATED if simulated else good
    if phase in ("Failed", "Cancelled"):
        return Verdict(phase)
    return None if _STUCK.isdisjoint(reasons) else Verdict.WARNING


def verdict_in(status: Mapping[str, Any]) -> str:
    """Return the verdict in a status (JSON); empty if there is none."""
    reasons = [str(condition.get("reason")) for condition in status.get("conditions") or ()]
    decided = verdict(
        status.get("phase"),
        simulated=bool(status.get("simulated")),
        warning=status.get("warning") or "",
        reasons=reasons,
    )
    return str(status.get("verdict") or decided or "")


def sentence(status: Mapping[str, Any]) -> str:
    """Return what a list shows of a status (JSON): the sentence to a verdict that needs attention, else what the job
    waits for.
    """
    decided = verdict_in(status)
    message = str(status.get("message") or "")
    if decided in (Verdict.WARNING, Verdict.SIMULATED, Verdict.FAILED, Verdict.CANCELLED):
        return message.removeprefix(f"{decided}: ") if message != decided else ""  # why it was cancelled, if known
    return str(status.get("reason") or "")
