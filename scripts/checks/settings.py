"""Setting check: each setting that a text for users names exists.

A name in capitals with an underscore counts as that of a setting: in sentences of Python, of scripts and of the chart's
templates, and as code in pages.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from reconstruction_gallery import settings as gallery
from reconstruction_operator import config
from reconstruction_operator.contract.outcomes import REASONS

from scripts.checks.pages import is_page
from scripts.checks.texts import tracked_texts

_NAME: Final = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_QUOTED: Final = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`]*`")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_PROGRAMS: Final = ("operator/", "plugin/", "gallery/", "demo/")
_SCRIPTS: Final = ("gallery/reconstruction_gallery/static/", "dashboards/headlamp/src/", "charts/")
_OF_OTHERS: Final = (
    "AWS_",
    "AZURE_",
    "CELERY_",
    "GOOGLE_",
    "OTEL_",
    "XDG_",
)  # prefixes of variables that libraries read
_NO_SETTINGS: Final = frozenset(
    {
        *(
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "KUBE_EDITOR",
            "NO_PROXY",
            "PIP_INDEX_URL",
            "SOURCE_DATE_EPOCH",
        ),  # of other programs
        *("RECON_GALLERY", "RECON_UPLOAD"),  # options of the plugin
        *("REDISCLI_AUTH", "REDIS_PASSWORD", "SENTINEL_PASSWORD"),  # of containers and Secrets of the chart
        *("BASE_IMAGE", "GITHUB_SHA"),  # of a build, of a workflow
        *("CHAOS_ARGS", "COSIGN_ARGS", "INDEX_URL", "REGISTRY_PASSWORD", "RELEASE_ARGS"),  # of make
        *("AF_UNIX", "MOUNT_ATTR_IDMAP", "PR_SET_DUMPABLE", "RLIMIT_NPROC"),  # of the kernel
        *("EARLY_LOOK", "PHOTO_FORMATS"),  # constants of this project
        *("IMG_1", "WATCH_NAMESPACE"),  # examples of a photo's name, and of a misspelt setting
    }
)


def problems(checkout: Path) -> list[str]:
    """Return names in texts for users that no setting has."""
    return list(unknown(tracked_texts(checkout), names()))


def names() -> set[str]:
    """Return the names of all settings, and the reasons of failures, which look alike."""
    of_gallery = {f"GALLERY_{field.name.upper()}" for field in dataclasses.fields(gallery.Settings)}
    return {row.name for row in config.TABLE} | of_gallery | set(REASONS) | _NO_SETTINGS


def unknown(texts: Mapping[str, str], known: Collection[str]) -> Iterator[str]:
    """Yield the names in texts for users that are not among the known ones."""
    for path, text in texts.items():
        for name in sorted({name for sentence in sentences(path, text) for name in _NAME.findall(sentence)}):
            if name not in known and not name.startswith(_OF_OTHERS):
                yield (
                    f"{path} names {name}, which no setting has (docs/settings.md, docs/gallery.md); names of others "
                    f"are in {__name__}"
                )


def sentences(path: str, text: str) -> Iterator[str]:
    """Yield the texts for users of a file."""
    if path.startswith(_PROGRAMS) and path.endswith(".py"):
        yield from (word for word in _constants(ast.parse(text)) if " " in word.strip())
    elif (
        path.startswith(_SCRIPTS)
        and "/vendor/" not in path
        and path.endswith((".js", ".ts", ".tsx", ".tpl", ".txt", ".yaml"))
    ):
        yield from (word for word in _QUOTED.findall(text) if " " in word)
    elif is_page(path) and path.startswith(("docs/", "README")):
        yield from _CODE.findall(text)


def _constants(tree: ast.AST) -> Iterator[str]:
    """Yield all string constants but docstrings."""
    alone = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in alone:
            yield node.value
