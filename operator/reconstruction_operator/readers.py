"""Setting readers: functions from the name and text of an environment variable to its value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final


class InvalidSettingError(ValueError):
    """An environment variable has a value that its setting does not accept."""


OBJECT_SCHEMES = ("s3", "gs", "az")  # of addresses of object storage
# Becomes a part of the server's address: no `..`, `%` or backslash.
BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Names = tuple[str, ...]
Grants = tuple[tuple[str, str], ...]  # namespace and place
Numbers = tuple[tuple[str, int], ...]  # namespace and number
Pools = tuple[tuple[str, str], ...]  # pool and namespace
StageQueues = tuple[tuple[str, str, str], ...]  # pool, stage and queue
Reader = Callable[[str, str], Any]  # from a variable's name and text to the value; raises InvalidSettingError


def word(name: str, text: str, *, choices: tuple[str, ...]) -> str:
    """Return the text, which must be one of `choices` if there are any."""
    if choices and text not in choices:
        raise InvalidSettingError(f"{name}={text!r} must be one of {', '.join(choices)}")
    return text


def number(name: str, text: str, *, least: float, most: float) -> float:
    """Read a finite number from `least` to `most`."""
    try:
        value = float(text)
    except ValueError:
        raise InvalidSettingError(f"{name}={text!r} is not a number") from None
    if not least <= value < float("inf"):
        raise InvalidSettingError(f"{name}={text!r} must be at least {least:g}")
    if value > most:
        raise InvalidSettingError(f"{name}={text!r} must be at most {most:g}")
    return value


def integer(name: str, text: str, *, least: float, most: float) -> int:
    """Read a whole number from `least` to `most`."""
    value = number(name, text, least=least, most=most)
    if value != int(value):
        raise InvalidSettingError(f"{name}={value:g} must be a whole number")
    return int(value)


def address(name: str, text: str) -> str:
    """Read an address of HTTP; empty for none."""
    if text and not text.startswith(("http://", "https://")):
        raise InvalidSettingError(f"{name} must begin with http:// or https://")
    return text


_REDIS_SCHEMES = ("redis", "rediss", "sentinel", "unix", "redis+socket", "socket")
_EACH_ADDRESS = re.compile(r";(?=[a-z+]+://)")  # Celery's separator of several addresses
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}")
_HOST_AND_PORT = re.compile(r"([^\s:/\[\]]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_DATABASE = re.compile(r"/?[0-9]*")


def redis_url(name: str, text: str) -> str:
    """Read the address of a Redis, or of its sentinels. No error shows the value, which may hold a password."""
    for entry in _EACH_ADDRESS.split(text):
        scheme, mark, rest = entry.partition("://")
        if not mark:
            problem = f"its value of {len(text)} characters has no scheme (redis://)"
        elif scheme not in _REDIS_SCHEMES:
            shown = f" {scheme}" if _SCHEME.fullmatch(scheme) else ""
            problem = f"its scheme{shown} is not one of {', '.join(_REDIS_SCHEMES)}"
        elif not _names_a_server(scheme, rest):
            problem = (
                "its host, port or database number cannot be read (a password needs %2F for /, %3F for ?, %23 for #)"
            )
        else:
            continue
        raise InvalidSettingError(
            f"{name} must be an address such as redis://:PASSWORD@redis.example.com:6379/1, but {problem}"
        )
    return text


def _names_a_server(scheme: str, rest: str) -> bool:
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    if scheme in ("unix", "redis+socket", "socket"):
        return place.rpartition("@")[2].startswith("/")
    server, slash, database = place.partition("/")
    return bool(_HOST_AND_PORT.fullmatch(server.rpartition("@")[2]) and _DATABASE.fullmatch(slash + database))


def names(_name: str, text: str) -> Names:
    """Read names, separated by commas."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def schemes(name: str, text: str) -> Names:
    """Read schemes of object storage, separated by commas."""
    entries = names(name, text)
    for entry in entries:
        if entry not in OBJECT_SCHEMES:
            raise InvalidSettingError(f"{name}: {entry!r} must be one of {', '.join(OBJECT_SCHEMES)}")
    return entries


_NAMESPACE = re.compile(r"\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_FOLDER = re.compile(r"/[^\x00-\x1f\x7f]+")
_OBJECTS = re.compile(rf"({'|'.join(OBJECT_SCHEMES)})://{BUCKET.pattern}(/[^\x00-\x1f\x7f?#]*)?")
_HTTPS_FOLDER = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\x00-\x20\x7f?#]*)?")


def grants(name: str, text: str, *, https: bool = False) -> Grants:
    """Read entries NAMESPACE=PLACE, separated by commas."""
    entries = []
    for entry in names(name, text):
        namespace, _, prefix = entry.partition("=")
        plain = prefix.replace("{namespace}", "x")
        if not _NAMESPACE.fullmatch(namespace):
            raise InvalidSettingError(f"{name}: {entry!r} does not begin with a namespace, or *, and =")
        if not (_FOLDER.fullmatch(plain) or _OBJECTS.fullmatch(plain) or (https and _HTTPS_FOLDER.fullmatch(plain))):
            addresses = "s3://bucket/maps/" + (", https://host/maps" if https else "")
            places = f"a folder (/photos/maps) or an address ({addresses})"
            raise InvalidSettingError(f"{name}: {entry!r} does not end in {places}")
        if ".." in plain.split("/") or "{" in plain or "}" in plain:
            raise InvalidSettingError(f"{name}: {entry!r} holds '..', or braces that are not {{namespace}}")
        entries.append((namespace, prefix))
    return tuple(entries)


def quotas(name: str, text: str) -> Numbers:
    """Read entries NAMESPACE=NUMBER, separated by commas."""
    pairs = _pairs(name, text, re.compile("[0-9]+"), "a namespace, or *, and = and a number (maps=10)")
    return tuple((namespace, int(number)) for namespace, number in pairs)


def pools(name: str, text: str) -> Pools:
    """Read entries POOL=NAMESPACE, separated by commas."""
    return tuple(_pairs(name, text, _NAMESPACE, "a pool and a namespace (gpu=maps), each a name or *"))


_STAGE_OF_POOL = re.compile(r"([a-z0-9](?:[-a-z0-9]{0,38}[a-z0-9])?)/([a-z][-a-z0-9]{0,31})")
_POOL = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


def stage_queues(name: str, text: str) -> StageQueues:
    """Read entries POOL/STAGE=QUEUE, separated by commas."""
    entries = []
    for entry in names(name, text):
        first, _, queue = entry.partition("=")
        match = _STAGE_OF_POOL.fullmatch(first)
        if match is None or not _POOL.fullmatch(queue):
            raise InvalidSettingError(f"{name}: {entry!r} is not a pool, a stage and a queue (celery/depth=gpu)")
        entries.append((match[1], match[2], queue))
    return tuple(entries)


def _pairs(name: str, text: str, right: re.Pattern[str], form: str) -> Iterator[tuple[str, str]]:
    for entry in names(name, text):
        first, _, second = entry.partition("=")
        if not _NAMESPACE.fullmatch(first) or not right.fullmatch(second):
            raise InvalidSettingError(f"{name}: {entry!r} is not {form}")
        yield first, second


_MAX_PORT: Final = 65_535
_NOTIFIED = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\x00-\x20\x7f#]*)?")


def notified(name: str, text: str) -> Grants:
    """Read entries NAMESPACE=URL, separated by commas. No error shows an address, which may hold a secret."""
    entries = []
    for number, entry in enumerate(names(name, text), 1):
        namespace, _, address = entry.partition("=")
        match = _NOTIFIED.fullmatch(address)
        if not _NAMESPACE.fullmatch(namespace) or match is None or int((match[1] or ":0")[1:]) > _MAX_PORT:
            form = "a namespace, or *, and = and an address (maps=https://events.example.com/jobs)"
            raise InvalidSettingError(f"{name}: entry {number} is not {form}, without a user")
        entries.append((namespace, address))
    return tuple(entries)


def reader(default: object, *, least: float, most: float, choices: tuple[str, ...]) -> Reader:
    """Return the reader for values of the type of `default`."""
    match default:
        case float():
            return partial(number, least=least, most=most)
        case int():
            return partial(integer, least=least, most=most)
        case tuple():
            return names
    return partial(word, choices=choices)
