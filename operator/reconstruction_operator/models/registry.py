"""Model registry: finds models by the entry points of one group, so that other packages can add models."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points
from importlib.metadata import version as installed_version

from reconstruction_operator.models.interface import Model, ModelFailure, Weights

GROUP = "reconstruction_operator.models"
_DIGEST_CHARS = 12  # in a version


class UnavailableModelError(ModelFailure):
    """The model is registered but cannot run on this machine."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__("BACKEND_UNAVAILABLE", f"model {name} cannot run on this worker: {why}")
        self.why = why


class UnknownModelError(ModelFailure):
    """No model has the name. Such a job is never simulated, since the name may be a typing error."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        meant = "".join(f"did you mean {other}? " for other in get_close_matches(name, known, 1))
        text = f"no model is called {name!r:.80}: {meant}This worker knows {', '.join(known)}"
        super().__init__("BACKEND_UNAVAILABLE", text)
        self.known = known


def names() -> tuple[str, ...]:
    """Return the names of all registered models, including those that cannot run here."""
    return tuple(sorted(_entries()))


def available() -> tuple[str, ...]:
    """Return the names of the models that can run on this machine."""
    found = []
    for name in names():
        with contextlib.suppress(ModelFailure):
            found.append(find(name).name)
    return tuple(found)


def find(name: str) -> Model:
    """Return the model of that name, ready to run.

    Raises UnknownModelError if there is none, UnavailableModelError if it cannot be imported or cannot run here.
    """
    entry = _entries().get(name)
    if entry is None:
        raise UnknownModelError(name, names())
    model = _load(entry)
    why = model.unavailable()
    if why:
        raise UnavailableModelError(name, why)
    return model


def version(name: str) -> str:
    """Return the version of the model, or else of the package that provides it; empty if unknown.

    It is followed by the versions of models of other packages that the model is a subclass of
    (`1.0+photogrammetry-12`), and by the digests of its weights. Raises as `find`.
    """
    model = find(name)
    own, *inherited = _versions_by_package(type(model))
    parts = [own[1] or _version_of_package(_package(name)), *(f"{base}-{text}" for base, text in inherited if text)]
    return "+".join([*parts, *(used.sha256[:_DIGEST_CHARS] for used in weights(model))])


def _versions_by_package(model: type[Model]) -> list[tuple[str, str]]:
    """Return the model's name and version as each package states them, that of the model's class first; empty where it
    states none.
    """
    stated: dict[str, tuple[str, str]] = {}
    for base in model.__mro__:
        package = base.__module__.partition(".")[0]
        text = vars(base).get("version", "")
        if package not in stated or not stated[package][1]:
            stated[package] = (str(getattr(base, "name", "")), text if isinstance(text, str) else "")
    return list(stated.values())


def weights(model: Model) -> list[Weights]:
    """Return the weights that the model computes with."""
    found = getattr(model, "weights", ())
    return [used for used in found if isinstance(used, Weights)] if isinstance(found, Sequence) else []


def versions(name: str) -> Mapping[str, str]:
    """Return the versions of Python, of the model's package and of those it computes with; of its weights the digest
    and licence.

    Raises as `find`.
    """
    model = find(name)
    packages = (_package(name), *getattr(model, "packages", ()))
    versions = {package: _version_of_package(package) for package in packages if package}
    versions |= {f"weights {used.name}": f"sha256:{used.sha256}, {used.licence}" for used in weights(model)}
    return {"python": platform.python_version(), **{package: text for package, text in versions.items() if text}}


def schema(name: str) -> Mapping[str, object] | None:
    """Return the JSON Schema of the model's parameters; None without one. Raises as `find`."""
    schema = getattr(find(name), "parameters_schema", None)
    return schema if isinstance(schema, Mapping) else None


@cache  # reading the metadata of all packages takes 5 ms, and a worker's packages do not change
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@cache  # as above
def _package(name: str) -> str:
    entry = _entries().get(name)
    return "" if entry is None or entry.dist is None else entry.dist.name


@cache  # as above
def _version_of_package(package: str) -> str:
    try:
        return installed_version(package)
    except (PackageNotFoundError, ValueError):  # ValueError: an empty name
        return ""


def _load(entry: EntryPoint) -> Model:
    """Return a new object of the model's class."""
    try:
        model = entry.load()()
    except Exception as error:  # importing another package may raise any error, which must not stop the worker
        raise UnavailableModelError(entry.name, f"{entry.value} cannot be loaded: {error!r:.300}") from error
    if not isinstance(model, Model):
        raise UnavailableModelError(entry.name, f"{entry.value} is not a model: parts of the interface are missing")
    return model
