"""Gallery of the demo, with a user: an editor of the namespace, whose token is in a file."""

from __future__ import annotations

from demo.display import Display
from demo.kubectl import ShownKubectl
from demo.places import Places
from devcluster.harness.gallery import start_gallery
from devcluster.harness.system import System

USER = "gallery-user"
_ROLE = "reconstruction-editor"  # of manifests/install
_DURATION = "8h"


def start(system: System, kubectl: ShownKubectl, places: Places, display: Display, port: int) -> str:
    """Start the gallery, write the user's token, and return the gallery's URL."""
    (system.folder / "gallery.log").symlink_to(places.logs / "gallery.log")
    account = f"{kubectl.namespace}:{USER}"
    kubectl.run("create", "serviceaccount", USER)
    kubectl.run("create", "rolebinding", USER, f"--clusterrole={_ROLE}", f"--serviceaccount={account}")
    places.token.touch(mode=0o600)
    places.token.write_text(kubectl.run("create", "token", USER, f"--duration={_DURATION}").strip() + "\n")
    gallery = start_gallery(
        system,
        port=port,
        GALLERY_UPLOADS_DIR=str(places.uploads),
        GALLERY_HISTORY_DIR=str(places.uploads / ".history"),
        GALLERY_LOGS_DIR=str(places.logs),
    )
    display.detail(f"The gallery: {gallery.url}; sign in with the token in {places.shown(places.token)}")
    return gallery.url
