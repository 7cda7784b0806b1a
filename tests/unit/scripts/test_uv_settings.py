"""Settings for uv: what `pip config list` prints, as variables of uv's environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.uv_settings import uv_settings

ALWAYS = {"UV_INDEX_STRATEGY": "unsafe-best-match", "SSL_CERT_FILE": "/ca.pem"}


def converted(*lines: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    return uv_settings([f"{line}\n" for line in ("global.cert='/ca.pem'", *lines)], environment or {})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("global.index-url='https://a/simple'", {"UV_DEFAULT_INDEX": "https://a/simple"}, id="index"),
        pytest.param(
            r"global.extra-index-url='\nhttps://a/simple\nhttps://b/simple'",
            {"UV_INDEX": "https://a/simple https://b/simple"},
            id="more-indexes",
        ),
        pytest.param("install.find-links='/a  /b'", {"UV_FIND_LINKS": "/a,/b"}, id="links"),
        pytest.param(":env:.no-index='true'", {"UV_OFFLINE": "1"}, id="no-index"),
        pytest.param(":env:.no-index='0'", {}, id="an-index"),
        pytest.param("global.trusted-host='a b:8080'", {"UV_INSECURE_HOST": "a b:8080"}, id="trusted-hosts"),
        pytest.param("global.timeout='7.5'", {"UV_HTTP_TIMEOUT": "8"}, id="timeout"),
        pytest.param(":env:.default-timeout='180'", {"UV_HTTP_TIMEOUT": "180"}, id="default-timeout"),
        pytest.param("global.client-cert='/me.pem'", {"SSL_CLIENT_CERT": "/me.pem"}, id="client-certificate"),
        pytest.param(
            "global.proxy='proxy:3128'",
            {"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3128"},
            id="proxy",
        ),
        pytest.param("global.keyring-provider='auto'", {}, id="a-keyring-that-uv-does-not-have"),
        pytest.param("list.format='freeze'", {}, id="of-another-command"),
        pytest.param("global.index-url=''", {}, id="empty"),
    ],
)
def test_a_setting_of_pip_becomes_one_of_uv(line: str, expected: Mapping[str, str]) -> None:
    assert converted(line) == ALWAYS | expected


def test_the_environment_overrides_the_command_and_the_command_all_others() -> None:
    lines = [f"{section}.index-url='https://{section[0]}'" for section in (":env:", "global", "install")]
    assert converted(*lines)["UV_DEFAULT_INDEX"] == "https://:"
    assert converted(*lines[1:])["UV_DEFAULT_INDEX"] == "https://i"


def test_a_variable_of_uv_itself_is_kept() -> None:
    environment = {"UV_DEFAULT_INDEX": "https://mine"}
    assert "UV_DEFAULT_INDEX" not in converted("global.index-url='https://a'", environment=environment)


def test_a_folder_of_certificates_is_a_folder_for_uv(tmp_path: Path) -> None:
    assert uv_settings([f"global.cert='{tmp_path}'\n"], {})["SSL_CERT_DIR"] == str(tmp_path)
