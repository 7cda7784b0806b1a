"""Settings for uv: pip's own (`pip config list` on standard input) as variables of uv's environment.

It prints NAME=VALUE entries, each with a zero byte after it. `scripts/setup` runs it by its path, before any package is
installed: `pip config list | python -S scripts/uv_settings.py`.
"""

from __future__ import annotations

import ast
import os
import ssl
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

_SECTIONS: Final = ("global", "install", ":env:")  # a later one overrides an earlier one, as in pip

# pip's setting -> uv's variables, and their value
_TABLE: Final[Mapping[str, tuple[tuple[str, ...], Callable[[str], str]]]] = {
    "index-url": (("UV_DEFAULT_INDEX",), str.strip),
    "extra-index-url": (("UV_INDEX",), lambda value: " ".join(value.split())),
    "find-links": (("UV_FIND_LINKS",), lambda value: ",".join(value.split())),
    # uv has no variable for it. Links to other machines are not read either, so that pip must install from them.
    "no-index": (("UV_OFFLINE",), lambda value: "1" if value.strip().lower() in {"1", "true", "yes", "on"} else ""),
    "trusted-host": (("UV_INSECURE_HOST",), lambda value: " ".join(value.split())),
    "timeout": (("UV_HTTP_TIMEOUT",), lambda value: str(max(1, round(float(value))))),
    "default-timeout": (("UV_HTTP_TIMEOUT",), lambda value: str(max(1, round(float(value))))),
    "retries": (("UV_HTTP_RETRIES",), str.strip),
    "keyring-provider": (("UV_KEYRING_PROVIDER",), lambda value: "subprocess" if value.strip() == "subprocess" else ""),
    "client-cert": (("SSL_CLIENT_CERT",), str.strip),
    "proxy": (("HTTP_PROXY", "HTTPS_PROXY"), lambda value: value if "://" in value else f"http://{value}"),
}
# pip searches all indexes and links for a package. uv would only search the first that has the name; hashes pin each
# file anyway.
_SEARCH_ALL: Final = {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def uv_settings(listing: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return uv's variables for the lines of `pip config list`.

    A variable of uv that is set in `environment` keeps its value. Raises ValueError or SyntaxError for another kind of
    line.
    """
    values: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listing:
        name, _, literal = line.partition("=")
        section, _, key = name.partition(".")
        if section in values:
            values[section][key] = str(ast.literal_eval(literal.strip()))
    of_pip = {key: value for section in _SECTIONS for key, value in values[section].items() if value.strip()}
    of_uv = dict(_SEARCH_ALL)
    for key, (names, convert) in _TABLE.items():
        if key in of_pip and (value := convert(of_pip[key])):
            of_uv |= dict.fromkeys(names, value)
    of_uv |= _certificates(of_pip.get("cert", "").strip())
    return {name: value for name, value in of_uv.items() if not (name.startswith("UV_") and environment.get(name))}


def _certificates(chosen: str) -> dict[str, str]:
    """Return where uv finds the authorities that it trusts: the file or folder `chosen`, or this machine's, as pip
    does.
    """
    if chosen:
        return {"SSL_CERT_DIR" if Path(chosen).is_dir() else "SSL_CERT_FILE": chosen}
    paths = ssl.get_default_verify_paths()
    has_some = bool(paths.cafile) or (paths.capath is not None and any(Path(paths.capath).iterdir()))
    return {"UV_SYSTEM_CERTS": "1"} if has_some else {}  # without any, uv uses those that it contains


if __name__ == "__main__":
    for entry in uv_settings(sys.stdin, os.environ).items():
        sys.stdout.write("=".join(entry) + "\0")
