"""Argo CD's resource customizations: their Lua scripts run on an object, in Argo CD's version of Lua (5.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lupa import lua51

_REMOVED_LIBRARIES = ("io", "os", "package", "require", "dofile", "loadfile", "debug")  # as in Argo CD's sandbox


class Customization:
    """The scripts in a folder of `resource_customizations`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def health(self, obj: dict[str, Any]) -> dict[str, Any]:
        """Return {"status", "message"} of the object."""
        return _dictionary(_run(self._folder / "health.lua", obj))

    def actions(self, obj: dict[str, Any]) -> dict[str, bool]:
        """Return each action's name, and whether it is enabled."""
        actions = _dictionary(_run(self._folder / "actions" / "discovery.lua", obj))
        return {name: not options.get("disabled", False) for name, options in sorted(actions.items())}

    def act(self, action: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Return the object after the action. Argo CD sends the difference as a merge patch."""
        return _dictionary(_run(self._folder / "actions" / action / "action.lua", obj))


def _run(script: Path, obj: dict[str, Any]) -> Any:
    lua = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    for name in _REMOVED_LIBRARIES:
        lua.globals()[name] = None
    lua.globals()["obj"] = lua.table_from(obj, recursive=True)
    return lua.execute(script.read_text())


def _value(value: Any) -> Any:
    if lua51.lua_type(value) != "table":
        return value
    if len(value):
        return [_value(value[place]) for place in range(1, len(value) + 1)]
    return {key: _value(item) for key, item in value.items()}


def _dictionary(table: Any) -> dict[str, Any]:
    value = _value(table)
    if not isinstance(value, dict):
        raise TypeError(f"the script returned {value!r}, not a table with names")
    return value
