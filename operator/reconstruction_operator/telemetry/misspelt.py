"""Misspelt settings: finds environment variables whose names are almost those of settings."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Mapping
from typing import Final

from reconstruction_operator import config

_log = logging.getLogger(__name__)

_ALIKE: Final = 0.88  # for difflib: finds WATCH_NAMESPACE and LOGLEVEL, but not POD_NAMESPACE
_FOREIGN: Final = ("CELERY_", "OTEL_")  # Celery and OpenTelemetry have variables of similar names
_FOREIGN_ALIKE: Final = 0.95


def find(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environ` that are not settings but have almost the name of one, with that setting's
    name.
    """
    names = [row.name for row in config.TABLE]
    misspelt: dict[str, str] = {}
    for name in sorted(environ.keys() - names):
        alike = _FOREIGN_ALIKE if name.startswith(_FOREIGN) else _ALIKE
        if meant := difflib.get_close_matches(name.upper(), names, n=1, cutoff=alike):
            misspelt[name] = meant[0]
    return misspelt


def warn() -> None:
    """Log each misspelt variable of this process."""
    for name, meant in find(os.environ).items():
        _log.warning("The variable %s is not a setting and has no effect: did you mean %s?", name, meant)
