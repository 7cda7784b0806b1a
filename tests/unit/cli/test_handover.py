"""Handover: which jobs are handed over to another installation, and which requests are refused."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import pytest
from reconstruction_operator.cli import main
from reconstruction_operator.cli.handover import NoOperatorError, handover
from reconstruction_operator.controller.writes.status_writer import DOES_NOT_FIT
from reconstruction_operator.kube.errors import ApiError

GIVER, TAKER = "a/operator", "b/operator"
HELD = {"spec": {"holderIdentity": "pod"}}


class Server:
    """An API server with one Lease and pages of jobs; it rejects the patches of `changed`."""

    def __init__(self, lease: dict[str, Any] | None = None, *, changed: str = "") -> None:
        self.lease, self.changed = lease, changed
        self.jobs = [_job("first", GIVER), _job("foreign", "c/operator"), _job("unmarked", ""), _job("last", GIVER)]
        self.patched: dict[str, Any] = {}

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        if "leases" in path:
            if self.lease is None:
                raise ApiError(HTTPStatus.NOT_FOUND, "NotFound", "no")
            return self.lease
        assert path.endswith("namespaces/maps/reconstructionjobs")
        first = int(params.get("continue", "0"))
        more = {"continue": str(first + 1)} if first + 1 < len(self.jobs) else {}
        return {"items": [self.jobs[first]], "metadata": more}

    async def request(self, method: str, path: str, *, body: Any, content_type: str) -> dict[str, Any]:
        assert (method, content_type) == ("PATCH", "application/json-patch+json")
        name = path.removesuffix("/status").rpartition("/")[2]
        if name == self.changed:
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", DOES_NOT_FIT)
        self.patched[name] = body
        return {}


def _job(name: str, lease: str) -> dict[str, Any]:
    status = {"installation": {"id": "x", "lease": lease}} if lease else {"phase": "Pending"}
    return {"metadata": {"namespace": "maps", "name": name, "uid": f"uid-{name}"}, "status": status}


async def _handover(server: Server, *, force: bool = False) -> tuple[int, list[str]]:
    lines: list[str] = []
    api = cast("Any", server)
    given = await handover(api, giver=GIVER, taker=TAKER, namespaces=["maps"], force=force, report=lines.append)
    return given, lines


async def test_only_the_jobs_of_the_named_lease_are_handed_over() -> None:
    server = Server(HELD)

    given, lines = await _handover(server)

    assert (given, lines) == (2, ["maps/first: handed over", "maps/last: handed over"])
    assert list(server.patched) == ["first", "last"]
    assert server.patched["first"] == [
        {"op": "test", "path": "/metadata/uid", "value": "uid-first"},
        {"op": "test", "path": "/status/installation/lease", "value": GIVER},
        {"op": "replace", "path": "/status/installation/lease", "value": TAKER},
    ]


async def test_a_job_that_is_meanwhile_handed_over_is_skipped() -> None:
    given, lines = await _handover(Server(HELD, changed="first"))

    assert (given, lines[0]) == (1, "maps/first: meanwhile deleted or handed over")


@pytest.mark.parametrize("lease", [None, {"spec": {"holderIdentity": ""}}], ids=["missing", "released"])
async def test_jobs_are_not_handed_over_to_a_lease_without_holder(lease: dict[str, Any] | None) -> None:
    with pytest.raises(NoOperatorError, match=r"no operator holds the Lease b/operator.*or use --force"):
        await _handover(Server(lease))

    assert (await _handover(Server(lease), force=True))[0] == 2


@pytest.mark.parametrize("lease", ["operator", "a/", "/b", "a/b/c"])
def test_an_invalid_lease_is_refused(lease: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main.main(["handover", "--from", lease])

    assert "write NAMESPACE/NAME" in capsys.readouterr().err


def test_a_handover_without_a_cluster_fails_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    assert main.main(["handover", "--from", GIVER]) == 1
    assert "reconstruction-operator: no API server" in capsys.readouterr().err
