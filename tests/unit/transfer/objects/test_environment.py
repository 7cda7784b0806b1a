"""Storage environment: credentials and proxies, and no other variables of the worker."""

from __future__ import annotations

import pytest
from reconstruction_operator.transfer.objects import environment


def test_only_credentials_endpoints_and_the_network_are_passed_on() -> None:
    wanted = {"AWS_ROLE_ARN": "a", "GOOGLE_SERVICE_ACCOUNT": "b", "AZURE_CLIENT_ID": "c", "SSL_CERT_FILE": "d"}
    others = {"CELERY_BROKER_URL": "redis://:secret@host", "REDIS_STATE_DB": "redis://:secret@host", "PATH": "/bin"}
    assert environment.chosen(wanted | others) == wanted


def test_requests_for_the_pods_credentials_bypass_the_proxy() -> None:
    chosen = environment.chosen({"https_proxy": "http://proxy:3128", "no_proxy": "minio.example.com"})
    excluded = chosen["NO_PROXY"].split(",")
    assert excluded[0] == "minio.example.com"
    assert {"169.254.0.0/16", "metadata.google.internal"} <= set(excluded)


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        pytest.param("AWS_SESSION_TOKEN", "x", True, id="credentials"),
        pytest.param("HTTPS_PROXY", "http://user:password@proxy:3128", True, id="a proxy with a password"),
        pytest.param("HTTPS_PROXY", "http://proxy:3128", False, id="a proxy"),
        pytest.param("MAIL", "user@host", False, id="another variable"),
    ],
)
def test_secrets_are_kept_from_models(name: str, value: str, secret: bool) -> None:
    assert environment.is_secret(name, value) is secret


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, False, id="the cloud's own"),
        pytest.param({"AWS_ENDPOINT_URL": "https://host"}, False, id="with TLS"),
        pytest.param({"AWS_ENDPOINT_URL": "http://host"}, True, id="without TLS"),
        pytest.param({"GOOGLE_SERVICE_ACCOUNT_KEY": '{"gcs_base_url": "http://host"}'}, True, id="an emulator"),
    ],
)
def test_only_an_endpoint_without_tls_allows_http(environ: dict[str, str], expected: bool) -> None:
    assert environment.allows_http(environ) is expected
