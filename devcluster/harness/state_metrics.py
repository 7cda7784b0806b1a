"""What kube-state-metrics makes of an object by its custom-resource-state configuration: enough of it for our file.

Gauges, state sets and infos; values as it converts them: numbers, booleans, words for booleans, times in whole seconds.
Written after its source (pkg/customresourcestate), since it is not to be had as a Go module everywhere; what our file does not
use (labelFromKey, stars, lookups in lists, CEL) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0, "unknown": 0.0}


@dataclass(frozen=True)
class Sample:
    """One series of one object."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(resource: Mapping[str, Any], obj: Mapping[str, Any]) -> Iterator[Sample]:
    """The series of an object, by one entry of `spec.resources`."""
    kind = {f"customresource_{name}": value for name, value in resource["groupVersionKind"].items()}
    common = {**kind, **_labels(resource.get("labelsFromPath", {}), obj)}
    for metric in resource["metrics"]:
        name = f"{resource['metricNamePrefix']}_{metric['name']}"
        match metric["each"]:
            case {"type": "Gauge", "gauge": gauge}:
                yield from _gauges(name, common, gauge, obj)
            case {"type": "StateSet", "stateSet": states}:
                found = _at(obj, states["path"])
                if found is not None:
                    for state in states["list"]:
                        yield Sample(name, {**common, states["labelName"]: state}, float(state == found))
            case {"type": "Info", "info": info}:
                labels = _labels(info.get("labelsFromPath", {}), _at(obj, info.get("path", [])))
                if labels:
                    yield Sample(name, {**common, **labels}, 1.0)
            case other:
                raise ValueError(f"{name}: {other} is nothing that kube-state-metrics knows")


def _gauges(name: str, common: Mapping[str, str], gauge: Mapping[str, Any], obj: Any) -> Iterator[Sample]:
    found = _at(obj, gauge["path"])
    for one in found if isinstance(found, list) else [found]:
        value = _at(one, gauge.get("valueFrom", []))
        if value is None and not gauge.get("nilIsZero"):
            continue
        labels = _labels(gauge.get("labelsFromPath", {}), one)
        yield Sample(name, {**common, **labels}, 0.0 if value is None else _number(value))


def _at(obj: Any, path: Sequence[str]) -> Any:
    for part in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(part)
    return obj


def _labels(paths: Mapping[str, Sequence[str]], obj: Any) -> dict[str, str]:
    found = {name: _at(obj, path) for name, path in paths.items()}
    return {name: str(value) for name, value in found.items() if value is not None}


def _number(value: object) -> float:
    if isinstance(value, str):
        if value.lower() in _WORDS:
            return _WORDS[value.lower()]
        try:
            return float(value)
        except ValueError:
            return float(int(datetime.fromisoformat(value).timestamp()))
    if isinstance(value, int | float):
        return float(value)
    raise TypeError(f"{value!r} is no number")
