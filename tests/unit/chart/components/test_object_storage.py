"""Object storage: endpoint, credentials, certificates and proxy of operator and workers."""

from __future__ import annotations

from tests.support.chart import Refuse


def test_settings_that_the_chart_derives_from_these_values_are_rejected(refuse: Refuse) -> None:
    assert "set objectStorage.schemes" in refuse({"settings": {"STORAGE_SCHEMES": "s3"}})
