"""Settings: their defaults, what each reader accepts, and where the values in use come from."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest
from reconstruction_operator import config
from reconstruction_operator.config import Settings
from reconstruction_operator.readers import InvalidSettingError


def value_of(name: str, text: str) -> Any:
    return getattr(Settings.from_environment({name: text}), name)


def test_the_table_has_a_row_for_each_setting_with_its_default() -> None:
    assert [row.name for row in config.TABLE] == [each.name for each in fields(Settings)]
    assert Settings.from_environment({row.name: row.default for row in config.TABLE}) == Settings()


def test_every_setting_has_a_meaning_a_unit_and_an_owner() -> None:
    owners = {config.BOTH, config.OPERATOR, config.WORKER}
    assert [row.name for row in config.TABLE if len(row.meaning) < 15 or not row.unit or row.whose not in owners] == []


@pytest.mark.parametrize("environ", [{}, {"LEASE_SECONDS": "", "LOG_LEVEL": "", "JOBS_DIR": ""}])
def test_an_absent_or_empty_variable_means_the_default(environ: dict[str, str]) -> None:
    assert Settings.from_environment(environ) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("REDIS_KEY_PREFIX", "team:", "team:", id="text"),
        pytest.param("LEASE_SECONDS", "2", 2.0, id="number at its minimum"),
        pytest.param("DISPATCH_WINDOW", "1e2", 100, id="whole number"),
        pytest.param("NAMESPACE_MAX_RUNNING", "*=10, maps=0", (("*", 10), ("maps", 0)), id="quotas"),
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
    ],
)
def test_a_value_is_read_as_its_type(name: str, text: str, value: object) -> None:
    assert value_of(name, text) == value
    assert type(value_of(name, text)) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("LEASE_SECONDS", "soon", "='soon' is not a number", id="no number"),
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
        pytest.param("NAMESPACE_MAX_HIGH", "maps", "is not a namespace, or *, and = and a number", id="no number"),
        pytest.param("NAMESPACE_MAX_HIGH", "maps=-1", "is not a namespace, or *, and = and a number", id="negative"),
        pytest.param("POOL_NAMESPACES", "maps", "is not a pool and a namespace", id="pool without a namespace"),
        pytest.param("NAMESPACE_INPUTS", "/photos", "does not begin with a namespace", id="no namespace"),
        pytest.param("NAMESPACE_INPUTS", "Maps=/photos", "does not begin with a namespace", id="invalid namespace"),
        pytest.param("NAMESPACE_INPUTS", "maps=photos", "does not end in a folder", id="relative folder"),
        pytest.param("NAMESPACE_INPUTS", "maps=http://host/a", "does not end in a folder", id="without TLS"),
        pytest.param("NAMESPACE_INPUTS", "maps=https://u:p@host/a", "does not end in a folder", id="password"),
        pytest.param("NAMESPACE_INPUTS", "maps=/photos/../etc", "holds '..'", id="dots"),
        pytest.param("NAMESPACE_INPUTS", "*=/photos/{name}", "holds '..', or braces", id="unknown placeholder"),
        pytest.param("NAMESPACE_OUTPUTS", "maps=https://host/a", "does not end in a folder", id="address for results"),
    ],
)
def test_an_invalid_grant_is_an_error_that_quotes_it(name: str, text: str, message: str) -> None:
    with pytest.raises(InvalidSettingError) as refusal:
        value_of(name, text)
    assert str(refusal.value).startswith(f"{name}: {text!r} {message}")


_SUCH_AS = " must be an address such as redis://:PASSWORD@redis.example.com:6379/1, but "
_SCHEMES = "redis, rediss, sentinel, unix, redis+socket, socket"
_UNREADABLE = "its host, port or database number cannot be read (a password needs %2F for /, %3F for ?, %23 for #)"


@pytest.mark.parametrize("name", ["CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_STATE_DB"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("localhost:6379", "its value of 14 characters has no scheme (redis://)", id="no scheme"),
        pytest.param("http://host:6379/1", f"its scheme http is none of {_SCHEMES}", id="another scheme"),
        pytest.param("my s3cret://host/1", f"its scheme is none of {_SCHEMES}", id="no word as scheme"),
        pytest.param("redis://:s3cret@host:port/1", _UNREADABLE, id="a port that is no number"),
        pytest.param("redis://:s3cret@host/one", _UNREADABLE, id="a database that is no number"),
        pytest.param("redis://:s3/cret@host/1", _UNREADABLE, id="a slash in the password"),
        pytest.param("redis://:s3#cret@host/1", _UNREADABLE, id="a hash in the password"),
        pytest.param("sentinel://one:26379/1;sentinel://two:x/1", _UNREADABLE, id="the second sentinel"),
        pytest.param("unix://redis.sock", _UNREADABLE, id="a socket without a path"),
    ],
)
def test_an_invalid_address_of_redis_is_described_and_never_shown(name: str, text: str, problem: str) -> None:
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
def test_every_form_of_address_is_taken(text: str) -> None:
    assert value_of("REDIS_STATE_DB", text) == text


@pytest.mark.parametrize(
    ("name", "text", "most"),
    [("PROBE_PORT", "65536", "65535"), ("DISPATCH_MEMORY_SHARE", "75", "1"), ("ORPHANS_SHARE", "10", "1")],
)
def test_ports_and_shares_have_an_upper_limit(name: str, text: str, most: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"{name}='{text}' must be at most {most}$"):
        value_of(name, text)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WATCH_NAMESPACE", "WATCH_NAMESPACES"),
        ("watch_namespaces", "WATCH_NAMESPACES"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("JOB_DIR", "JOBS_DIR"),
        ("REDIS_STATE_DBS", "REDIS_STATE_DB"),
        ("CELERY_BROKER_URLS", "CELERY_BROKER_URL"),
        ("CELERY_BROKER_READ_URL", None),
        ("CELERY_LOG_LEVEL", None),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", None),
        ("POD_NAMESPACE", None),
        ("REDIS_SERVICE_HOST", None),
        ("PATH", None),
        ("LOG_LEVEL", None),
    ],
)
def test_a_variable_that_looks_like_a_setting_is_found(name: str, meant: str | None) -> None:
    assert config.misspelt({name: "a value"}).get(name) == meant


def test_use_replaces_the_values_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "settings", config.settings)  # restored afterwards
    config.use(replace(config.settings, REDIS_STATE_DB="redis://state:6379/7"))

    assert config.settings.REDIS_STATE_DB == config.REDIS_STATE_DB == "redis://state:6379/7"


def test_a_name_that_is_no_setting_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'REDIS_STATE_DBS'"):
        _ = config.REDIS_STATE_DBS


def test_the_environment_is_read_at_the_first_access_and_not_at_import() -> None:
    program = (
        "import os; from reconstruction_operator import config; os.environ['LEASE_SECONDS'] = '7'; "
        "print(config.settings.LEASE_SECONDS); os.environ['LEASE_SECONDS'] = '8'; print(config.LEASE_SECONDS)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7.0", "7.0"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("BEAT_SECONDS", "0", "='0' must be at least 0.05", id="number"),
        pytest.param(
            "REDIS_STATE_DB",
            "s3cret:6379",
            f"{_SUCH_AS}its value of 11 characters has no scheme (redis://)",
            id="Redis",
        ),
    ],
)
def test_a_worker_with_an_invalid_setting_prints_one_line(name: str, text: str, message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "reconstruction_operator.celery_app", "worker"],
        env={name: text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, f"reconstruction_operator: {name}{message}\n")
