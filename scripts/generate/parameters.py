"""Parameters page: docs/parameters.md, from the models' schemas and the code that reads photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.models import registry
from reconstruction_operator.models.photogrammetry import PhotogrammetryModel, quality_gates
from reconstruction_operator.models.photogrammetry.parameters import OVERRIDES, QUALITIES
from reconstruction_operator.models.placeholder import PlaceholderModel
from reconstruction_operator.transfer.names import PHOTO_SUFFIXES
from reconstruction_operator.transfer.unpacker import ARCHIVE_KINDS

_LIMITS: Final = ("INPUT_MAX_FILES", "INPUT_MAX_BYTES", "IMAGE_MAX_PIXELS")


def page() -> str:
    """Return docs/parameters.md."""
    return "\n".join(
        [
            "# Parameters and formats",
            "",
            "The values of `spec.parameters` by model, and the accepted photos. `make docs` generates this page from",
            "the code. Workers announce the",
            "same schemas, and the operator rejects a job with other parameters at once. `kubectl recon submit",
            "--quality` and `--param NAME=VALUE` set them.",
            "",
            *_model(PhotogrammetryModel(), "photogrammetry"),
            "",
            "A quality sets these parameters, unless the job sets them:",
            "",
            *_qualities(),
            "",
            "[performance.md](performance.md) shows their cost in time and memory.",
            "",
            "### Quality gates",
            "",
            "In the order of a run. Below a limit, the run fails with that reason; gates without a reason",
            "do not end the run.",
            "[reasons.md](reasons.md) has what to do.",
            "",
            "| what is measured | at least | reason | what less means |",
            "|---|---|---|---|",
            *_gates(),
            "",
            *_model(PlaceholderModel(), "placeholder"),
            "",
            "## Photos",
            "",
            f"- Files that end in {', '.join(f'`{suffix}`' for suffix in PHOTO_SUFFIXES)}, in upper or lower case, in",
            "  the folder or below it. The",
            "  content decides the format. Other files are ignored.",
            "- Links to files in the same folder or below it are followed. Other links are ignored and counted in",
            "  messages. Archives with links",
            "  are refused. `kubectl recon` follows every link to a file.",
            "- HEIC, CMYK and 16-bit grey are rewritten as JPEG with 8 bits a channel, and a video as up to 300 sharp",
            "  frames at even steps of the",
            "  camera's way. A result from a video with damaged frames has a warning.",
            "  Camera RAW and other pictures fail with `UNSUPPORTED_FORMAT` ([reasons.md](reasons.md)).",
            "- A PNG that is a [mask](photos.md#masks) belongs to its photo, and does not count as a photo.",
            f"- A folder, or one archive ({ARCHIVE_KINDS}), at the",
            "  addresses that [storage.md](storage.md#addresses) lists.",
            "- Within these limits, which are settings of the workers:",
            "",
            "| setting | default | meaning |",
            "|---|---|---|",
            *_limits(),
            "",
            "## Files of a result",
            "",
            "[results.md](results.md) lists them. The first file in `.status.outputs.files` is the textured mesh.",
            "",
        ]
    )


def _model(model: Any, name: str) -> Iterator[str]:
    schema: Mapping[str, Any] = registry.schema(name) or {}
    count = f"{model.min_photos:,} to {model.max_photos:,} photos"
    photos = count if model.max_photos else "any input, which is not read"
    yield from (
        f"## {name}",
        "",
        f"Accepts {photos}.",
        "",
        "| parameter | type | allowed | meaning |",
        "|---|---|---|---|",
    )
    for parameter, property_ in schema["properties"].items():
        allowed = ", ".join(f"`{each}`" for each in property_.get("enum", ()))
        if "minimum" in property_:
            allowed = f"{property_['minimum']:,.15g} to {property_['maximum']:,.15g}"
        default = f" Default: `{property_['default']}`." if "default" in property_ else ""
        meaning = property_.get("description", "")
        yield (
            f"| `{parameter}` | {property_.get('type', 'string')} | {allowed} | "
            f"{meaning}{'.' if meaning else ''}{default} |"
        )


def _qualities() -> Iterator[str]:
    yield f"| parameter | {' | '.join(f'`{quality}`' for quality in QUALITIES)} |"
    yield "|---" * (len(QUALITIES) + 1) + "|"
    for name, parameter in OVERRIDES.items():
        values = (" or ".join(map(_value, parameter.defaults(settings))) for settings in QUALITIES.values())
        yield f"| `{name}` | {' | '.join(values)} |"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:,}"


def _gates() -> Iterator[str]:
    for gate in quality_gates.TABLE:
        reason = f"`{gate.reason}`" if gate.reason else ""
        yield f"| {gate.measured} | {gate.limit:g} | {reason} | {gate.below} |"


def _limits() -> Iterator[str]:
    for setting in config.TABLE:
        if setting.name in _LIMITS:
            unit = "" if setting.unit == "NUMBER" else f" {setting.unit.lower()}"
            yield f"| `{setting.name}` | {int(setting.default):,}{unit} | {setting.meaning} |"
