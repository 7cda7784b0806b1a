"""Manifest: seals a result folder. It names the job, the attempt and every file with its size and digest."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Final

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.api.status import ReusedFrom
from reconstruction_operator.contract import fingerprint
from reconstruction_operator.contract.attempt import Findings

MANIFEST: Final = "manifest.json"
MESH: Final = "model.glb"  # the mesh to look at; every result has one
MESHES: Final = (".glb", ".obj", ".ply", ".stl", ".usdz")
MAX_MANIFEST_BYTES: Final = 1 << 20
_VERSION: Final = 1


def local_names(names: Collection[str], job: str) -> dict[str, str]:
    """Return the name of each file of a job's result on a user's disk: of `model.glb` banana.glb, of `model_full.glb`
    banana_full.glb.
    """
    local = {name: name for name in names}
    for name in names:
        path = PurePosixPath(name)
        if path.suffix in MESHES and path.stem.partition("_")[0] == "model":
            named = str(path.with_stem(path.stem.replace("model", job, 1)))
            local[name] = name if named in names else named
    return local


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One file of a result; `name` is its path below the result folder."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A result, as `manifest.json` describes it. Unknown keys of the file are ignored."""

    attempt: AttemptRef
    model: str = ""
    simulated: bool = False
    findings: Findings = field(default_factory=Findings)  # until the result was sealed
    # Where on Earth the mesh is (docs/models.md); empty: unknown
    placement: Mapping[str, Any] = field(default_factory=dict)
    stages: Mapping[str, str] = field(default_factory=dict)  # the digest of what each contains, by name, in order
    uri: str = ""  # where a copy was delivered; empty: no copy
    parameters: Mapping[str, Any] = field(default_factory=dict)  # with all defaults, as the model used them
    # As the job's author wrote them: without defaults
    spec_parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)  # of the model ("model"), Python and packages
    input_uri: str = ""
    input_digest: str = ""  # of the photos (`contract.fingerprint`); empty: they were not read
    # How long the result stays in the trash after its object is deleted, unless the operator orders otherwise
    retain_seconds: int = 0
    reused_from: ReusedFrom | None = None  # the job that made the result; None: this job
    files: tuple[SealedFile, ...] = ()

    @property
    def sizes(self) -> tuple[tuple[str, int], ...]:
        """Name and bytes of each file."""
        return tuple((file.name, file.bytes) for file in self.files)

    @property
    def recipe(self) -> str:
        """The digest of the model, its version and its parameters."""
        return fingerprint.recipe(self.model, self.versions.get("model", ""), self.parameters)

    def to_text(self) -> str:
        """Return the content of `manifest.json`."""
        content = {
            "version": _VERSION,
            "attempt": codec.encode(self.attempt),
            "model": self.model,
            "simulated": self.simulated,
            "parameters": dict(self.parameters),
            "specParameters": dict(self.spec_parameters),
            "versions": dict(self.versions),
            **codec.encode(self.findings),
            "input": {"uri": self.input_uri, "digest": self.input_digest},
            "placement": dict(self.placement) or None,
            "stages": dict(self.stages),
            "uri": self.uri,
            "retainSeconds": self.retain_seconds,
            "reusedFrom": None if self.reused_from is None else codec.encode(self.reused_from),
            "files": [{"name": file.name, "bytes": file.bytes, "sha256": file.sha256} for file in self.files],
        }
        return "{\n" + ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in content.items()) + "\n}\n"

    @classmethod
    def parse(cls, text: bytes) -> Manifest | None:
        """Return the manifest in `text`; None if it is invalid (truncated, or made by another program)."""
        try:
            return cls._from_json(json.loads(text))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return None

    @staticmethod
    def identify(text: bytes) -> AttemptRef | None:
        """Return the attempt that a manifest names, even if it was edited and no longer parses."""
        try:
            return codec.decode(AttemptRef, json.loads(text)["attempt"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return None

    @classmethod
    def _from_json(cls, data: Mapping[str, Any]) -> Manifest:
        source = _mapping(data.get("input"))
        findings = codec.decode(Findings, data)
        return cls(
            attempt=_attempt(data["attempt"]),
            model=str(data["model"]),
            simulated=data["simulated"] is True,
            findings=replace(findings, quality={name: str(value) for name, value in findings.quality.items()}),
            placement=_mapping(data.get("placement")),
            stages=_texts(data.get("stages")),
            uri=str(data["uri"]),
            parameters=_mapping(data.get("parameters")),
            spec_parameters=_mapping(data.get("specParameters")),
            versions=_texts(data.get("versions")),
            input_uri=_text(source.get("uri")),
            input_digest=_text(source.get("digest")),
            retain_seconds=_whole_number(data.get("retainSeconds")) or 0,
            reused_from=codec.decode(ReusedFrom, reused)
            if isinstance(reused := data.get("reusedFrom"), Mapping)
            else None,
            files=tuple(codec.decode(SealedFile, file) for file in data["files"]),
        )


def _attempt(data: object) -> AttemptRef:
    attempt = codec.decode(AttemptRef, data)
    return attempt if attempt.is_bare else AttemptRef.from_json(data)


def _mapping(value: object) -> Mapping[str, Any]:
    return {str(name): item for name, item in value.items()} if isinstance(value, Mapping) else {}


def _texts(value: object) -> Mapping[str, str]:
    return {name: str(text) for name, text in _mapping(value).items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole_number(value: object) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError(f"{value!r:.40} is not a whole number")
    return value
