"""Settings: read from the environment; an invalid one is rejected with advice."""

from pathlib import Path

import pytest
from reconstruction_gallery.settings import Settings, SettingsError


def test_settings_are_read_by_name() -> None:
    read = Settings.read(
        {
            "GALLERY_PORT": "9000",
            "GALLERY_NAMESPACES": "a, b",
            "GALLERY_URL": "https://gallery.example.com",
            "HOME": "/",
        }
    )

    assert (read.port, read.namespaces, read.secure) == (9000, ("a", "b"), True)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param({"GALLERY_PROT": "1"}, "GALLERY_PROT is not a setting", id="misspelt"),
        pytest.param({"GALLERY_PORT": "http"}, "is not a number", id="no-number"),
        pytest.param({"GALLERY_ACCESS_SECONDS": "nan"}, "at least 0.1", id="nan"),
        pytest.param({"GALLERY_SESSION_SECONDS": "-1"}, "at least 0.1", id="negative"),
        pytest.param({"GALLERY_URL": "gallery.example.com"}, "https://", id="no-scheme"),
        pytest.param({"GALLERY_UPLOADS_DIR": "photos"}, "begins with /", id="relative"),
    ],
)
def test_an_invalid_setting_is_rejected(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.read(environ)


def test_a_proxy_secret_must_be_readable_and_long(tmp_path: Path) -> None:
    short = tmp_path / "secret"
    short.write_text("guess")

    with pytest.raises(SettingsError, match="too short"):
        _ = Settings(proxy_secret_file=str(short)).proxy_secret
    with pytest.raises(SettingsError, match="cannot be read"):
        _ = Settings(proxy_secret_file=str(tmp_path / "absent")).proxy_secret
    assert Settings().proxy_secret is None
