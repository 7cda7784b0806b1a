"""Setting readers: from the text of a variable to its value, or to an error that names the variable but shows no
secret.
"""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.config import Settings
from reconstruction_operator.readers import InvalidSettingError


def value_of(name: str, text: str) -> Any:
    return getattr(Settings.from_environment({name: text}), name)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("REDIS_KEY_PREFIX", "team:", "team:", id="text"),
        pytest.param("LEASE_SECONDS", "2", 2.0, id="number at its minimum"),
        pytest.param("DISPATCH_WINDOW", "1e2", 100, id="whole number"),
        pytest.param("NAMESPACE_MAX_RUNNING", "*=10, maps=0", (("*", 10), ("maps", 0)), id="quotas"),
        pytest.param(
            "POOL_STAGE_QUEUES",
            "celery/depth=gpu, a-b/views=big",
            (("celery", "depth", "gpu"), ("a-b", "views", "big")),
            id="queues of stages",
        ),
        pytest.param(
            "POOL_NAMESPACES", "gpu=maps,gpu=scans,*=*", (("gpu", "maps"), ("gpu", "scans"), ("*", "*")), id="pools"
        ),
        pytest.param("LOG_LEVEL", "DEBUG", "DEBUG", id="choice"),
        pytest.param("OTEL_EXPORTER_OTLP_ENDPOINT", "https://host:4318", "https://host:4318", id="address"),
        pytest.param("WORKER_POOLS", " cpu, gpu,,", ("cpu", "gpu"), id="names"),
        pytest.param("WORKER_POOLS", ",", (), id="no names"),
        pytest.param(
            "NAMESPACE_INPUTS",
            "maps=/photos/maps, *=https://host/{namespace}",
            (("maps", "/photos/maps"), ("*", "https://host/{namespace}")),
            id="grants",
        ),
        pytest.param(
            "NOTIFICATIONS",
            "*=http://host:65535/a?b=c, maps=https://host",
            (("*", "http://host:65535/a?b=c"), ("maps", "https://host")),
            id="addresses of notifications",
        ),
    ],
)
def test_a_value_is_read_as_its_type(name: str, text: str, value: object) -> None:
    assert value_of(name, text) == value
    assert type(value_of(name, text)) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("LEASE_SECONDS", "soon", "='soon' is not a number", id="not numeric"),
        pytest.param("LEASE_SECONDS", "1.9", "='1.9' must be at least 2", id="too small"),
        pytest.param("LEASE_SECONDS", "inf", "='inf' must be at least 2", id="infinite"),
        pytest.param("LEASE_SECONDS", "nan", "='nan' must be at least 2", id="not a number"),
        pytest.param("DISPATCH_WINDOW", "1.5", "=1.5 must be a whole number", id="fraction"),
        pytest.param("LOG_FORMAT", "xml", "='xml' must be one of json, text", id="choice"),
        pytest.param(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", " must begin with http:// or https://", id="no scheme"
        ),
    ],
)
def test_an_invalid_value_is_an_error_that_names_the_setting(name: str, text: str, message: str) -> None:
    with pytest.raises(InvalidSettingError) as refusal:
        value_of(name, text)
    assert str(refusal.value) == name + message


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("NAMESPACE_MAX_HIGH", "maps=-1", "is not a namespace, or *, and = and a number", id="negative"),
        pytest.param("POOL_STAGE_QUEUES", "depth=gpu", "is not a pool, a stage and a queue", id="stage without a pool"),
        pytest.param("POOL_NAMESPACES", "maps", "is not a pool and a namespace", id="pool without a namespace"),
        pytest.param("NAMESPACE_INPUTS", "/photos", "does not begin with a namespace", id="no namespace"),
        pytest.param("NAMESPACE_INPUTS", "Maps=/photos", "does not begin with a namespace", id="invalid namespace"),
        pytest.param("NAMESPACE_INPUTS", "maps=photos", "does not end in a folder", id="relative folder"),
        pytest.param("NAMESPACE_INPUTS", "maps=http://host/a", "does not end in a folder", id="without TLS"),
        pytest.param("NAMESPACE_INPUTS", "maps=https://u:p@host/a", "does not end in a folder", id="password"),
        pytest.param("NAMESPACE_INPUTS", "maps=/photos/../etc", "holds '..'", id="dots"),
        pytest.param("NAMESPACE_INPUTS", "*=/photos/{name}", "holds '..', or braces", id="unknown placeholder"),
        pytest.param("NAMESPACE_INPUTS", "maps=s3:///a", "does not end in a folder", id="no bucket"),
        pytest.param("NAMESPACE_INPUTS", "maps=s3://b/a?x", "does not end in a folder", id="an address with a query"),
        pytest.param("NAMESPACE_OUTPUTS", "maps=https://host/a", "does not end in a folder", id="address for results"),
    ],
)
def test_an_invalid_grant_is_an_error_that_quotes_it(name: str, text: str, message: str) -> None:
    with pytest.raises(InvalidSettingError) as refusal:
        value_of(name, text)
    assert str(refusal.value).startswith(f"{name}: {text!r} {message}")


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param("https://host/s3cret", id="no namespace"),
        pytest.param("Maps=https://host/s3cret", id="invalid namespace"),
        pytest.param("maps=ftp://host/s3cret", id="another scheme"),
        pytest.param("maps=https://u:s3cret@host/", id="password"),
        pytest.param("maps=https://host:65536/s3cret", id="port"),
        pytest.param("maps=https://host/s3cret#a", id="fragment"),
    ],
)
def test_an_invalid_address_of_notifications_is_an_error_without_it(entry: str) -> None:
    with pytest.raises(InvalidSettingError, match=r"^NOTIFICATIONS: entry 2 is not a namespace, or \*") as refusal:
        value_of("NOTIFICATIONS", f"*=http://host:8080/a?b=c,{entry}")
    assert "s3cret" not in str(refusal.value)


_SUCH_AS = " must be an address such as redis://:PASSWORD@redis.example.com:6379/1, but "
_SCHEMES = "redis, rediss, sentinel, unix, redis+socket, socket"
_UNREADABLE = "its host, port or database number cannot be read (a password needs %2F for /, %3F for ?, %23 for #)"


@pytest.mark.parametrize("name", ["CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_STATE_DB"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("localhost:6379", "its value of 14 characters has no scheme (redis://)", id="no scheme"),
        pytest.param("http://host:6379/1", f"its scheme http is not one of {_SCHEMES}", id="another scheme"),
        pytest.param("my s3cret://host/1", f"its scheme is not one of {_SCHEMES}", id="an invalid scheme"),
        pytest.param("redis://:s3cret@host:port/1", _UNREADABLE, id="a port that is not a number"),
        pytest.param("redis://:s3cret@host/one", _UNREADABLE, id="a database that is not a number"),
        pytest.param("redis://:s3/cret@host/1", _UNREADABLE, id="a slash in the password"),
        pytest.param("redis://:s3#cret@host/1", _UNREADABLE, id="a hash in the password"),
        pytest.param("sentinel://one:26379/1;sentinel://two:x/1", _UNREADABLE, id="the second sentinel"),
        pytest.param("unix://redis.sock", _UNREADABLE, id="a socket without a path"),
    ],
)
def test_an_error_about_an_address_of_redis_never_shows_it(name: str, text: str, problem: str) -> None:
    with pytest.raises(InvalidSettingError) as refusal:
        value_of(name, text)
    assert str(refusal.value) == f"{name}{_SUCH_AS}{problem}"


@pytest.mark.parametrize(
    "text",
    [
        "redis://",
        "redis://localhost",
        "redis://user:p%2Fss;x@redis:6379/15?ssl_cert_reqs=none",
        "rediss://[::1]:6379/0?ssl_ca_certs=/etc/ca.crt",
        "sentinel://:pw@one:26379/1;sentinel://:pw@two:26379/1",
        "unix:///run/redis.sock?db=1",
        "redis+socket://:pw@/run/redis.sock?virtual_host=1",
    ],
)
def test_every_form_of_an_address_of_redis_is_accepted(text: str) -> None:
    assert value_of("REDIS_STATE_DB", text) == text


def test_grants_of_object_storage_and_schemes_are_read() -> None:
    entries = value_of("NAMESPACE_OUTPUTS", "*=s3://meshes/{namespace}/,maps=az://box")
    assert entries == (("*", "s3://meshes/{namespace}/"), ("maps", "az://box"))
    assert value_of("STORAGE_SCHEMES", "s3, gs") == ("s3", "gs")
    with pytest.raises(InvalidSettingError, match=r"STORAGE_SCHEMES: 'ftp' must be one of s3, gs, az"):
        value_of("STORAGE_SCHEMES", "s3,ftp")
