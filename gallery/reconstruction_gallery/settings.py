"""Settings: one table, read from the environment. docs/gallery.md describes them.

The jobs volume is at the operator's setting JOBS_DIR, which `reconstruction_operator.config` reads.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from reconstruction_operator.readers import InvalidSettingError, reader

_PREFIX: Final = "GALLERY_"
_GIB: Final = 1 << 30
_MIN_SECRET_CHARS: Final = 32
_LEAST: Final = 0.1  # of a number


SettingsError = InvalidSettingError
"""A setting is invalid. The message names it and a valid value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The value of each setting; its environment variable is the field's name in capitals, with
    `GALLERY_` before it.
    """

    port: int = 8080
    probe_port: int = 8081  # of /healthz and /readyz
    host: str = "0.0.0.0"  # noqa: S104  # the Service connects from outside the pod
    url: str = ""  # the address that users open; https:// makes the cookie Secure
    namespaces: tuple[str, ...] = ()  # watched; empty: all
    system_namespace: str = (
        "reconstruction-system"  # of operator and workers, whose logs are searched for lines about a job
    )
    logs_dir: str = ""  # where operator and workers write *.log files, if they are no pods
    session_seconds: int = 28_800  # maximum; a session also ends when its token expires
    access_seconds: float = 10.0  # how long a TokenReview or SubjectAccessReview is cached
    # Enables the headers of an authenticating proxy, which must send this secret with each request
    proxy_secret_file: str = ""
    proxy_user_header: str = "X-Forwarded-User"
    proxy_groups_header: str = "X-Forwarded-Groups"
    proxy_groups: tuple[str, ...] = ("*",)  # that the gallery may impersonate; it ignores others
    # Signs links, each of which shows one result without a sign-in; empty: none are made, and none is valid
    share_secret_file: str = ""
    share_seconds: int = 604_800  # how long a link is valid
    uploads_dir: str = ""  # where photos are stored; empty: uploads are disabled
    uploads_uri: str = ""  # path of that folder on the workers; empty: uploads_dir
    photo_max_bytes: int = _GIB  # videos are uploaded as photos
    upload_max_files: int = 2000
    upload_max_bytes: int = 8 * _GIB
    user_max_bytes: int = 32 * _GIB
    user_max_files: int = 50_000
    upload_free_bytes: int = _GIB  # minimum of free space on the disk: an upload that would leave less is rejected
    history_dir: str = ""  # where ended jobs are recorded; empty: there is no history
    history_seconds: int = 7_776_000  # how long they are kept
    upload_keep_seconds: int = 604_800  # uploads that no job references are deleted after this time

    def __post_init__(self) -> None:
        """Raise SettingsError for invalid values."""
        if self.url and not self.url.startswith(("http://", "https://")):
            raise SettingsError(
                f"GALLERY_URL is {self.url!r}: write the address that users open, https://gallery.example.com"
            )
        for name in ("uploads_dir", "uploads_uri", "history_dir", "logs_dir"):
            value = getattr(self, name)
            if value and not value.startswith("/"):
                raise SettingsError(f"{_PREFIX}{name.upper()} is {value!r}: write a path that begins with /")

    @property
    def secure(self) -> bool:
        """Whether users reach the gallery over TLS."""
        return self.url.startswith("https://")

    @property
    def proxy_secret(self) -> str | None:
        """The proxy's secret; None if there is no proxy. Raises SettingsError if it cannot be read or is too short."""
        return self._secret("proxy_secret_file")

    @property
    def share_secret(self) -> str | None:
        """The secret that signs links now; None if links are disabled. Raises SettingsError as `proxy_secret`."""
        return self._secret("share_secret_file")

    def _secret(self, name: str) -> str | None:
        if not (path := getattr(self, name)):
            return None
        try:
            secret = Path(path).read_text().strip()
        except (OSError, ValueError) as error:  # ValueError: no UTF-8
            raise SettingsError(f"{_PREFIX}{name.upper()} cannot be read: {error}") from error
        if len(secret) < _MIN_SECRET_CHARS:
            raise SettingsError(
                f"the secret in {path} is too short: at least {_MIN_SECRET_CHARS} characters, from a random source"
            )
        return secret

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings in the environment. Raises SettingsError for an invalid value or an unknown name."""
        fields = {_PREFIX + field.name.upper(): field for field in dataclasses.fields(cls)}
        unknown = sorted(name for name in environ if name.startswith(_PREFIX) and name not in fields)
        if unknown:
            raise SettingsError(f"{unknown[0]} is not a setting: choose from {', '.join(fields)}")
        values: dict[str, Any] = {}
        for name, field in fields.items():
            if name in environ:
                read = reader(field.default, least=_LEAST, most=math.inf, choices=())
                values[field.name] = read(name, environ[name].strip())
        return cls(**values)
