"""The page of a result in a folder: its report where it has one, otherwise its pictures and files."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from kubectl_recon.display.progress import size_text
from kubectl_recon.pages.serving import Page, files_below

REPORT: Final = "report.html"
PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MESHES: Final = (".glb", ".obj", ".ply", ".stl", ".usdz")
_STYLE: Final = (
    "body{font:16px system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}"
    "img{max-width:100%;border-radius:.5rem;margin:.5rem 0}td{padding:.2rem 1rem .2rem 0}"
)


def pages_of(folder: Path, title: str) -> dict[str, Page]:
    """The pages of the files in the folder, with the first page under the name ""."""
    found = files_below(folder)
    first = found[REPORT] if REPORT in found else Page(_overview(title, folder, list(found)))
    return {"": first, **found}


def _overview(title: str, folder: Path, names: Sequence[str]) -> str:
    pictures = [name for name in names if name.lower().endswith(PICTURES)]
    meshes = [name for name in names if name.lower().endswith(MESHES)]
    shown = "".join(f'<img src="{escape(name)}" alt="{escape(name)}">' for name in pictures)
    rows = "".join(
        f'<tr><td><a href="{escape(name)}">{escape(name)}</a></td><td>{size_text((folder / name).stat().st_size)}</td></tr>'
        for name in (*meshes, *(name for name in names if name not in meshes))
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{shown}<table>{rows}</table></html>"
    )
