"""What a fault is, and the table into which the modules beside this one enter theirs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.load import Load
from chaos.scene import Scene

PATIENCE_SECONDS = 120.0
"""For what a fault has to wait for."""


@dataclass(slots=True)
class Context:
    """What a fault may touch, and what it says of itself."""

    scene: Scene
    load: Load
    chance: random.Random
    messages: list[tuple[str, bytes]] = field(default_factory=list)  # raw ones that were seen, with their queues
    counter: int = 0
    victims: set[str] = field(default_factory=set)
    """Workers, and process ids of models and of the workers' children, that this fault hits; empty: all of them."""
    missed: bool = False
    """There was nothing that this fault could hurt."""


Heal = Callable[[], object]
Inject = Callable[[Context], Heal]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    `on`: what it hurts; faults on the same thing are not combined. `hold`: shortest and longest time in seconds before it
    is mended. `cuts`: it stops a process or keeps it from Redis, so that an attempt may be overtaken without knowing.
    `forgets`: Redis loses what it knows, claims as well. `deafens`: what users say may not reach Redis; `deposes`: and then
    another operator may have to lead. `harms`: it may make an attempt fail.
    """

    name: str
    on: str
    inject: Inject
    hold: tuple[float, float]
    cuts: bool = False
    deafens: bool = False
    harms: bool = False
    needs_disk: bool = False
    forgets: bool = False
    deposes: bool = False


_TABLE: list[Fault] = []


def fault(
    name: str,
    *,
    on: str,
    hold: tuple[float, float] = (0.5, 3.0),
    cuts: bool = False,
    deafens: bool = False,
    harms: bool = False,
    needs_disk: bool = False,
    forgets: bool = False,
    deposes: bool = False,
) -> Callable[[Inject], Inject]:
    """Enter a function into the table: it hurts the scene, and gives back what mends it."""

    def enter(inject: Inject) -> Inject:
        _TABLE.append(
            Fault(
                name,
                on,
                inject,
                hold,
                cuts=cuts,
                deafens=deafens or deposes,
                harms=harms,
                needs_disk=needs_disk,
                forgets=forgets,
                deposes=deposes,
            )
        )
        return inject

    return enter


def entered() -> tuple[Fault, ...]:
    """Every fault that was entered, in order."""
    return tuple(_TABLE)


def nothing() -> None:
    """What needs no mending but that ended processes come back."""


NO_FAULT = Fault("none, to compare with", on="nothing", inject=lambda _: nothing, hold=(0.5, 3.0))
"""How long it takes until every job has changed where nothing is broken. It is not in the table."""
