"""Navigation: the pages of the site by section. Paths are in the checkout; a page without a section fails the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

HOME: Final = "docs/index.md"
SECTIONS: Final[Mapping[str, Sequence[str]]] = {
    "Start": (
        "docs/getting-started.md",
        "docs/install.md",
        "docs/photos.md",
        "docs/comparison.md",
    ),
    "Use": (
        "docs/kubectl-recon.md",
        "docs/gallery.md",
        "docs/parameters.md",
        "docs/lifecycle.md",
        "docs/python.md",
        "docs/results.md",
        "docs/troubleshooting.md",
    ),
    "Operate": (
        "docs/helm.md",
        "docs/redis.md",
        "docs/storage.md",
        "docs/queues.md",
        "docs/dashboards.md",
        "docs/notifications.md",
        "docs/logs.md",
        "docs/runbooks/README.md",
        "docs/backups.md",
        "docs/upgrading.md",
        "docs/security.md",
        "docs/performance.md",
        "docs/reliability.md",
    ),
    "Extend": (
        "docs/model-plugin.md",
        "docs/models.md",
        "docs/architecture.md",
        "docs/protocol.md",
        "docs/decisions.md",
        "CONTRIBUTING.md",
        "docs/releasing.md",
        "CODE_OF_CONDUCT.md",
    ),
    "Reference": (
        "docs/api.md",
        "docs/conditions.md",
        "docs/reasons.md",
        "docs/metrics.md",
        "docs/settings.md",
        "charts/reconstruction-operator/README.md",
        "docs/support.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ),
}
