"""Misspelt settings: which variables are found, and the warning."""

from __future__ import annotations

import pytest
from reconstruction_operator.telemetry import misspelt


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WATCH_NAMESPACE", "WATCH_NAMESPACES"),
        ("watch_namespaces", "WATCH_NAMESPACES"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("CELERY_BROKER_URLS", "CELERY_BROKER_URL"),
        ("CELERY_BROKER_READ_URL", None),
        ("CELERY_LOG_LEVEL", None),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", None),
        ("POD_NAMESPACE", None),
        ("REDIS_SERVICE_HOST", None),
        ("LOG_LEVEL", None),
    ],
)
def test_a_variable_with_almost_the_name_of_a_setting_is_found(name: str, meant: str | None) -> None:
    assert misspelt.find({name: "a value"}).get(name) == meant


def test_a_warning_names_the_variable_and_the_setting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WATCH_NAMESPACE", "maps")
    misspelt.warn()
    assert "The variable WATCH_NAMESPACE is not a setting" in caplog.text
    assert caplog.text.rstrip().endswith("did you mean WATCH_NAMESPACES?")
