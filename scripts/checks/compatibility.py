"""CRD compatibility check: objects and clients of the last release must work with the CRD of this checkout.

The check reads the last release's CRD from its chart package, and compares the API's names, versions and schemas. An incompatible
change fails unless `EXCEPTIONS` has it with a reason. New optional fields, wider limits and new enum values are compatible: clients
must expect unknown values (docs/support.md).
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

Schema = Mapping[str, Any]

_CONTROL: Final = r"\x00-\x1f\x7f-\x9f\x{202a}-\x{202e}\x{2066}-\x{2069}"
EXCEPTIONS: Final[Mapping[str, str]] = {
    "v1alpha1 status: x-kubernetes-map-type: nothing became atomic": (
        "only the operator writes a status, by patches of fields; without the rule the API server stores a list of these fields in each object"
    ),
    **dict.fromkeys(
        (
            *(f"v1alpha1 spec: new rule: self.{field} == oldSelf.{field}" for field in ("modelType", "input")),
            *(
                f"v1alpha1 spec: new rule: has(self.{field}) ? has(oldSelf.{field}) && self.{field} == oldSelf.{field} "
                f": !has(oldSelf.{field})"
                for field in ("output", "parameters", "managedBy")
            ),
            "v1alpha1 status: new rule: self.?attempt.orValue(-1) >= oldSelf.?attempt.orValue(-1)",
        ),
        "the earlier rule in fewer steps",
    ),
    "v1alpha1 spec: new rule: oldSelf.hasValue() || !self.cancelConfirmed || self.cancelRequested": (
        "weaker than the earlier rule, which rejected every cancelled job; the policy beside the CRD enforces the rest"
    ),
    **dict.fromkeys(
        (
            (
                "v1alpha1 spec: new rule: !has(self.cancelReason) || self.cancelRequested || self.cancelConfirmed "
                "|| oldSelf.?cancelConfirmed.orValue(false)"
            ),
            (
                "v1alpha1 spec: new rule: !oldSelf.cancelConfirmed || !self.cancelConfirmed "
                "|| (has(self.cancelReason) ? has(oldSelf.cancelReason) && self.cancelReason == oldSelf.cancelReason "
                ": !has(oldSelf.cancelReason))"
            ),
        ),
        "concerns only cancelReason, which no earlier job has",
    ),
    "v1alpha1 spec.queue: new rule: !(self in ['unacked'])": (
        "Celery keeps other data under this name, so no job in such a queue ever ran"
    ),
    **{
        f"v1alpha1 spec.{field}: pattern: {pattern} became nothing": "a rule requires the same, and one mistake gets one message"
        for field, pattern in {
            "modelType": "^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$",
            "queue": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "managedBy": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$",
        }.items()
    },
    "v1alpha1 spec.input: new rule: !self.uri.startsWith('https://') || self.uri.matches(r'^https://[^/?#]*@') "
    r"|| self.uri.matches(r'(?i)^https://[^/?#]+/[^?#]*\.(zip|tar|tar\.gz|tgz)([?#].*)?$')": (
        "the operator failed every such job at once; other fields of stored jobs can still change (ratcheting)"
    ),
    **{
        f"v1alpha1 spec.{field}.uri: {change}": reason
        for field in ("input", "output")
        for change, reason in {
            "pattern: ^(file|s3|gs|https):// became nothing": "a rule requires the same, and one mistake gets one message",
            "new rule: self.matches(r'^(file:///|s3://|gs://|az://|https://)"
            rf"[^\x20/{_CONTROL}]([^{_CONTROL}]*[^\x20{_CONTROL}])?$')": (
                "the earlier rule, which now also accepts az://, and no characters that command a terminal or turn a text; other "
                "fields of stored jobs can still change (ratcheting)"
            ),
        }.items()
    },
}
"""Accepted incompatible change -> reason."""

_PACKAGES: Final = "tests/data/charts"
_PACKAGED: Final = "reconstruction-operator/files/crd/reconstructionjobs.yaml"
_CURRENT: Final = "manifests/crd/reconstructionjobs.yaml"
_UPPER: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_LOWER: Final = ("minimum", "minLength", "minItems", "minProperties")
# Whether a change of these is compatible cannot be decided, so each is reported.
_FIXED: Final = (
    *("type", "format", "pattern", "nullable", "default", "multipleOf", "uniqueItems", "exclusiveMaximum"),
    *("exclusiveMinimum", "not", "allOf", "anyOf", "oneOf", "x-kubernetes-preserve-unknown-fields"),
    *("x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"),
)


def problems(checkout: Path) -> list[str]:
    """Return incompatible changes since the last release, and unused exceptions."""
    package = last_release(checkout)
    new = yaml.safe_load((checkout / _CURRENT).read_text())
    return unexcused(changes(packaged_crd(package), new), EXCEPTIONS, package.stem)


def last_release(checkout: Path) -> Path:
    """Return the chart package of the last release."""
    return max((checkout / _PACKAGES).glob("*.tgz"), key=version_of)


def version_of(package: Path) -> tuple[int, ...]:
    """Return the version in a package's name."""
    return tuple(int(number) for number in package.stem.rpartition("-")[2].split("."))


def packaged_crd(package: Path) -> dict[str, Any]:
    """Return the CRD in a chart package."""
    with tarfile.open(package) as archive:
        member = archive.extractfile(_PACKAGED)
        if member is None:
            raise FileNotFoundError(f"{package.name} has no {_PACKAGED}")
        crd: dict[str, Any] = yaml.safe_load(member.read())
    return crd


def unexcused(problems: Iterator[str], exceptions: Mapping[str, str], release: str) -> list[str]:
    """Return one sentence for each change without an exception, and for each exception without a change."""
    made = list(problems)
    return [
        *(f"not compatible with {release}: {change}" for change in made if change not in exceptions),
        *(f"an exception without a change: {excused}" for excused in exceptions if excused not in made),
    ]


def changes(old: Schema, new: Schema) -> Iterator[str]:
    """Yield the changes between two CRDs that break objects or clients of the old one."""
    before, after = old["spec"], new["spec"]
    for name in ("group", "scope"):
        if before[name] != after[name]:
            yield f"{name}: {before[name]} became {after[name]}"
    for name in ("kind", "listKind", "plural", "singular"):
        if before["names"].get(name) != after["names"].get(name):
            yield f"names.{name}: {before['names'].get(name)} became {after['names'].get(name)}"
    for name in ("shortNames", "categories"):
        for gone in _missing(before["names"].get(name, ()), after["names"].get(name, ())):
            yield f"names.{name}: {gone} was removed"
    versions = {version["name"]: version for version in after["versions"]}
    for version in before["versions"]:
        name = version["name"]
        if name not in versions:
            yield f"{name}: the version was removed"
        else:
            yield from _version_changes(name, version, versions[name])


def _version_changes(name: str, old: Schema, new: Schema) -> Iterator[str]:
    if old["served"] and not new["served"]:
        yield f"{name}: the version is no longer served"
    for gone in _missing(old.get("subresources", ()), new.get("subresources", ())):
        yield f"{name}: the subresource {gone} was removed"
    selectable = [[field["jsonPath"] for field in version.get("selectableFields", ())] for version in (old, new)]
    for gone in _missing(*selectable):
        yield f"{name}: the selectable field {gone} was removed"
    for path, change in schema_changes(old["schema"]["openAPIV3Schema"], new["schema"]["openAPIV3Schema"]):
        yield f"{name} {path.lstrip('.') or 'object'}: {change}"


def schema_changes(old: Schema, new: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and description of each incompatible change of a schema."""
    for change in (*_fixed(old, new), *_bounds(old, new), *_values(old, new)):
        yield path, change
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    for name, field in old_fields.items():
        if name in new_fields:
            yield from schema_changes(field, new_fields[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}", "the field was removed"
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if (key in old) != (key in new):
            yield path, f"{key} was {'removed' if key in old else 'added'}"
        elif isinstance(old.get(key), Mapping) and isinstance(new[key], Mapping):
            yield from schema_changes(old[key], new[key], path + suffix)
        elif old.get(key) != new.get(key):
            yield path, f"{key} changed"


def _fixed(old: Schema, new: Schema) -> Iterator[str]:
    for key in _FIXED:
        if old.get(key) != new.get(key):
            yield f"{key}: {old.get(key, 'nothing')} became {new.get(key, 'nothing')}"


def _bounds(old: Schema, new: Schema) -> Iterator[str]:
    tighter: Mapping[str, Callable[[float, float], bool]] = {
        **dict.fromkeys(_UPPER, lambda before, after: after < before),
        **dict.fromkeys(_LOWER, lambda before, after: after > before),
    }
    for key, is_tighter in tighter.items():
        if key in new and (key not in old or is_tighter(old[key], new[key])):
            yield f"{key}: {old.get(key, 'nothing')} became {new[key]}"


def _values(old: Schema, new: Schema) -> Iterator[str]:
    for name in _missing(new.get("required", ()), old.get("required", ())):
        yield f"{name} became required"
    if "enum" in new and "enum" not in old:
        yield "enum was added"
    elif "enum" in new:
        for gone in _missing(old["enum"], new["enum"]):
            yield f"the value {gone} was removed"
    rules = [[rule["rule"] for rule in schema.get("x-kubernetes-validations", ())] for schema in (old, new)]
    for rule in _missing(rules[1], rules[0]):
        yield f"new rule: {rule}"


def _missing(wanted: Any, present: Any) -> list[Any]:
    return [entry for entry in wanted if entry not in present]
