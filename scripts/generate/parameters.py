"""Page of the models' parameters and of the formats: docs/parameters.md, from the models' schemas and the code that reads photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.models import registry
from reconstruction_operator.models.photogrammetry import PhotogrammetryModel
from reconstruction_operator.models.photogrammetry.parameters import OVERRIDES, QUALITIES
from reconstruction_operator.models.placeholder import PlaceholderModel
from reconstruction_operator.transfer.names import PHOTO_SUFFIXES
from reconstruction_operator.transfer.unpacker import ARCHIVE_KINDS

_LIMITS: Final = ("INPUT_MAX_FILES", "INPUT_MAX_BYTES", "IMAGE_MAX_PIXELS")


def page() -> str:
    """docs/parameters.md."""
    return "\n".join(
        [
            "# Parameters and formats",
            "",
            "What `spec.parameters` takes, by model, and which photos are read. Made from the code by `make docs`; workers announce the same",
            "schemas, and the operator refuses a job with other parameters at once. `kubectl recon submit --quality` and `--param NAME=VALUE` set them.",
            "",
            *_model(PhotogrammetryModel(), "photogrammetry"),
            "",
            "What a quality stands for, where a job sets nothing else:",
            "",
            *_qualities(),
            "",
            "[sizes.md](sizes.md) has what they cost in time and memory.",
            "",
            *_model(PlaceholderModel(), "placeholder"),
            "",
            "## Photos",
            "",
            f"- Files that end in {', '.join(f'`{suffix}`' for suffix in PHOTO_SUFFIXES)}, in upper or lower case, in the folder and in all folders below it. What",
            "  they are is decided by their content. Other files are ignored.",
            "- HEIC, CMYK and 16-bit grey are rewritten as JPEG with 8 bits a channel. Camera RAW, videos and other pictures fail with",
            "  `UNSUPPORTED_FORMAT` ([reasons.md](reasons.md)).",
            "- A PNG that is a [mask](photos.md#masks) belongs to its photo, and counts as no photo.",
            f"- A folder, or one archive ({ARCHIVE_KINDS}), at the addresses that [storage.md](storage.md#addresses) lists.",
            "- Limits, which are settings of the workers:",
            "",
            "| setting | default | meaning |",
            "|---|---|---|",
            *_limits(),
            "",
            "## Files of a result",
            "",
            "[results.md](results.md) lists them. The textured mesh is the first in `.status.outputs.files`.",
            "",
        ]
    )


def _model(model: Any, name: str) -> Iterator[str]:
    schema: Mapping[str, Any] = registry.schema(name) or {}
    photos = f"{model.min_photos} to {model.max_photos} photos" if model.max_photos else "any input, which is not read"
    yield from (
        f"## {name}",
        "",
        f"Takes {photos}.",
        "",
        "| parameter | type | allowed | meaning |",
        "|---|---|---|---|",
    )
    for parameter, one in schema["properties"].items():
        allowed = ", ".join(f"`{each}`" for each in one.get("enum", ()))
        if "minimum" in one:
            allowed = f"{one['minimum']:,.15g} to {one['maximum']:,.15g}"
        default = f" Default: `{one['default']}`." if "default" in one else ""
        meaning = one.get("description", "")
        yield f"| `{parameter}` | {one.get('type', 'string')} | {allowed} | {meaning}{'.' if meaning else ''}{default} |"


def _qualities() -> Iterator[str]:
    yield f"| parameter | {' | '.join(f'`{quality}`' for quality in QUALITIES)} |"
    yield "|---" * (len(QUALITIES) + 1) + "|"
    for name, parameter in OVERRIDES.items():
        values = (getattr(settings, parameter.setting) for settings in QUALITIES.values())
        yield f"| `{name}` | {' | '.join(_value(value) for value in values)} |"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:,}"


def _limits() -> Iterator[str]:
    for setting in config.TABLE:
        if setting.name in _LIMITS:
            unit = "" if setting.unit == "NUMBER" else f" {setting.unit.lower()}"
            yield f"| `{setting.name}` | {int(setting.default):,}{unit} | {setting.meaning} |"
