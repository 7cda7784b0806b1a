"""Fault type: a fault as a value, and the context that it gets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from chaos.system.load import Load
from chaos.system.proxies.proxy import Proxy
from chaos.system.scene import Scene

_Proxy = TypeVar("_Proxy", bound=Proxy)

PATIENCE_SECONDS = 120.0
"""Timeout for every condition that a fault waits for."""


@dataclass(slots=True)
class Context:
    """The parts that a fault may use, and what it reports about itself."""

    scene: Scene
    load: Load
    chance: random.Random
    messages: list[tuple[str, bytes]] = field(default_factory=list)  # the (queue, raw message) pairs seen so far
    counter: int = 0
    victims: set[str] = field(default_factory=set)
    """The workers and the pids of models and pool processes that this fault hits; empty: all."""
    missed: bool = False
    """The fault found nothing to hit."""


Heal = Callable[[], object]
Inject = Callable[[Context], Heal]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    - `on`: its target. Faults on the same target are not combined.
    - `hold`: the minimum and maximum seconds before it is healed.
    - `cuts`: it stops a process or cuts it off from Redis, so a superseded attempt may not notice.
    - `forgets`: Redis loses data, claims included.
    - `blocks_users`: users' changes may not reach Redis.
    - `deposes`: as `blocks_users`, and another operator may have to become leader.
    - `divides`: two installations may dispatch a new job at the same moment.
    - `harms`: it may make an attempt fail.
    - `needs_disk`: it needs the job folders on a separate file system.
    """

    name: str
    on: str
    inject: Inject
    hold: tuple[float, float] = (0.5, 3.0)
    cuts: bool = False
    blocks_users: bool = False
    harms: bool = False
    needs_disk: bool = False
    forgets: bool = False
    deposes: bool = False
    divides: bool = False


def together(heals: Sequence[Heal]) -> Heal:
    """Return one function that calls all of these in order."""

    def heal() -> None:
        for one in heals:
            one()

    return heal


def at_each(proxies: Iterable[_Proxy], act: Callable[[_Proxy], object]) -> Heal:
    """Do this to each proxy, and return a function that heals them all."""
    hit = list(proxies)
    for proxy in hit:
        act(proxy)
    return together([proxy.heal for proxy in hit])


def undoable(act: Callable[[Scene], object], undo: Callable[[Scene], object]) -> Inject:
    """Return a fault that acts on the scene and is healed by undoing that."""

    def inject(context: Context) -> Heal:
        act(context.scene)
        return lambda: undo(context.scene)

    return inject


def nothing() -> None:
    """Heal a fault that needs only the restart of ended processes."""


NO_FAULT = Fault("none, to compare with", on="nothing", inject=lambda _: nothing, hold=(0.5, 3.0))
"""A round without a fault, whose recovery is the baseline. `all_faults` does not contain it."""
