"""Settings: their defaults, and the source of the values in use."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from reconstruction_operator import config, readers
from reconstruction_operator.config import Settings
from reconstruction_operator.readers import InvalidSettingError


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
    ("name", "text", "most"),
    [("PROBE_PORT", "65536", "65535"), ("DISPATCH_MEMORY_SHARE", "75", "1"), ("ORPHANS_SHARE", "10", "1")],
)
def test_ports_and_shares_have_an_upper_limit(name: str, text: str, most: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"{name}='{text}' must be at most {most}$"):
        Settings.from_environment({name: text})


def test_use_replaces_the_values_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "settings", config.settings)  # restored afterwards
    config.use(replace(config.settings, REDIS_STATE_DB="redis://state:6379/7"))

    assert config.settings.REDIS_STATE_DB == config.REDIS_STATE_DB == "redis://state:6379/7"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'REDIS_STATE_DBS'"):
        _ = config.REDIS_STATE_DBS


@pytest.mark.parametrize("program", ["worker.withdrawal", "worker.preflight_program"])
def test_a_child_program_gets_every_setting_that_it_reads(program: str) -> None:
    script = (
        f"import sys, reconstruction_operator.{program}; print(*(m.__file__ for m in sys.modules.values() if "
        "hasattr(m, '__file__')))"
    )
    imported = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True).stdout
    sources = [Path(file) for file in imported.split() if "/reconstruction_operator/" in file]
    names = {
        node.attr
        for file in sources
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
    }
    read = {row.name for row in config.TABLE} & names

    assert "JOBS_DIR" in read
    assert read - config.for_child().keys() == set()


def test_a_child_program_gets_no_password() -> None:
    secrets = {"REDIS_SENTINEL_PASSWORD", "OTEL_EXPORTER_OTLP_HEADERS"}
    secrets |= {row.name for row in config.TABLE if row.read is readers.redis_url}
    assert config.for_child().keys() & secrets == set()
