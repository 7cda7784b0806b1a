"""Result page: the report of a result in a folder, or else a page with its mesh in 3D, its pictures and its files.

`viewer/` has <model-viewer>, compressed, as written by `scripts/viewer`. No page connects to another host.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from reconstruction_operator.contract.manifest import MANIFEST, MESHES

from kubectl_recon.display.progress import size_text
from kubectl_recon.pages.serving import Page, files_below

REPORT: Final = "report.html"
PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_SCRIPT: Final = "model-viewer.min.js"
_VIEWER: Final = Page(
    Path(__file__).with_name("viewer") / f"{_SCRIPT}.gz",
    headers=MappingProxyType({"Content-Type": "text/javascript", "Content-Encoding": "gzip"}),
)
_STYLE: Final = (
    "body{font:16px system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}"
    "img{max-width:100%;border-radius:.5rem;margin:.5rem 0}td{padding:.2rem 1rem .2rem 0}"
    "model-viewer{width:100%;height:min(70vh,40rem);border-radius:.5rem;background:light-dark(#e8ecf1,#0d1116)}"
)
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "frame-src 'self'"
)
_FILE_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
_REPORT_POLICY: Final = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src "
    "'unsafe-inline'; "
    "img-src data: blob:; connect-src data: blob:; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""As in the gallery: a report's scripts run without access to this program's pages or a gallery's session. Of the
network they reach what WebRTC reaches, since no browser has a policy for that."""
_FRAME: Final = (
    f'<iframe src="{REPORT}" sandbox="allow-scripts" title="Report" '
    'style="position:fixed;inset:0;width:100%;height:100%;border:0"></iframe>'
)


def is_result(folder: Path) -> bool:
    """Return whether the folder holds a result, or a part of one."""
    names = [path.name.lower() for path in folder.iterdir()] if folder.is_dir() else []
    return any(name in (REPORT, MANIFEST) or name.endswith(MESHES) for name in names)


def pages_of(folder: Path, title: str) -> dict[str, Page]:
    """Return a page for each file in the folder, and the first page under the name ""."""
    pages = {
        name: Page(page.content, headers={"Content-Security-Policy": _FILE_POLICY})
        for name, page in files_below(folder).items()
    }
    content = _FRAME if REPORT in pages else _overview(title, folder, list(pages))
    if REPORT in pages:
        pages[REPORT] = Page(pages[REPORT].content, headers={"Content-Security-Policy": _REPORT_POLICY}, framed=True)
    return {**pages, _SCRIPT: _VIEWER, "": Page(_page(title, content), headers={"Content-Security-Policy": _POLICY})}


def shown_mesh(names: Sequence[str]) -> str | None:
    """Return the mesh to look at: that with the shortest name (`model.glb`, or banana.glb beside banana_full.glb)."""
    return min((name for name in names if name.lower().endswith(".glb")), key=len, default=None)


def _overview(title: str, folder: Path, names: Sequence[str]) -> str:
    others = ("texture", "standpoints/")  # which are no pictures of the model
    pictures = [
        name for name in names if name.lower().endswith(PICTURES) and not any(other in name for other in others)
    ]
    meshes = [name for name in names if name.lower().endswith(MESHES)]
    images = "".join(f'<img src="{_address(name)}" alt="{escape(name)}">' for name in pictures)
    rows = "".join(
        "<tr><td><a "
        f'href="{_address(name)}">{escape(name)}</a></td><td>{size_text((folder / name).stat().st_size)}</td></tr>'
        for name in (*meshes, *(name for name in names if name not in meshes))
    )
    return f"<h1>{escape(title)}</h1>{_model(shown_mesh(names), title)}{images}<table>{rows}</table>"


def _page(title: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<link rel="icon" href="data:,">'  # no request for an icon
        f"<title>{escape(title)}</title><style>{_STYLE}</style><main>{content}</main></html>"
    )


def _model(name: str | None, title: str) -> str:
    if name is None:
        return ""
    return (
        f'<script type="module" src="{_SCRIPT}"></script>'
        f'<model-viewer src="{_address(name)}" alt="{escape(title)} in 3D" camera-controls touch-action="pan-y" '
        'interaction-prompt="none"></model-viewer><p>Drag to turn, scroll to zoom, or use the arrow keys.</p>'
    )


def _address(name: str) -> str:
    return escape(quote(name))
