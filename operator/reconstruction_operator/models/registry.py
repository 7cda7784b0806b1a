"""Model registry: the entry points of one group, so that other packages can add models without a change here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from reconstruction_operator.models.interface import Model, ModelFailure

GROUP = "reconstruction_operator.models"


class UnknownModelError(ModelFailure):
    """No model of that name is registered. Never simulated: the name may be a typing mistake."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(
            "BACKEND_UNAVAILABLE", f"no model is called {name!r:.80}; this worker knows {', '.join(known)}"
        )


class UnavailableModelError(ModelFailure):
    """The model is registered but cannot run on this machine."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__("BACKEND_UNAVAILABLE", f"model {name} cannot run on this worker: {why}")


def known() -> tuple[str, ...]:
    """Names of all registered models, also of those that cannot run here."""
    return tuple(sorted(_entries()))


def available() -> tuple[str, ...]:
    """Names of the models that can run on this machine."""
    return tuple(name for name in known() if _can_run(name))


def find(name: str) -> Model:
    """The model of that name, ready to run.

    Raises UnknownModelError if there is none, UnavailableModelError if it cannot be imported or cannot run here.
    """
    entry = _entries().get(name)
    if entry is None:
        raise UnknownModelError(name, known())
    model = _load(entry)
    why = model.unavailable()
    if why:
        raise UnavailableModelError(name, why)
    return model


_classes: Final[
    dict[EntryPoint, Callable[[], Model]]
] = {}  # of models that were made once: checking the interface takes long


@cache  # reading the metadata of all packages takes 5 ms, and a worker's packages do not change
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(entry: EntryPoint) -> Model:
    """A new object of the model's class."""
    if entry in _classes:
        return _classes[entry]()
    try:
        kind = entry.load()
        model = kind()
    except Exception as error:  # another package may raise anything on import, which must not stop the worker
        raise UnavailableModelError(entry.name, f"{entry.value} cannot be loaded: {error!r:.300}") from error
    if not isinstance(model, Model):
        raise UnavailableModelError(entry.name, f"{entry.value} is not a model: parts of the interface are missing")
    _classes[entry] = kind
    return model


def _can_run(name: str) -> bool:
    try:
        find(name)
    except ModelFailure:
        return False
    return True
