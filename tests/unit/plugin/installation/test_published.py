"""Published state: which installation is read, how old it is, and where its gallery is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from kubectl_recon.gallery.reaching import Way
from kubectl_recon.installation import published
from kubectl_recon.kube.api import Api
from reconstruction_operator.contract.info import KEY, MANAGER, InstallationInfo, Workers

from tests.support.plugin import job

if TYPE_CHECKING:
    from tests.unit.plugin.conftest import Server

NOW = datetime.now(UTC).replace(microsecond=0)
WHOLE = InstallationInfo(lease="recon/operator")
PART = InstallationInfo(lease="maps/operator", narrowed=True)


def stored(*infos: InstallationInfo, at: datetime = NOW) -> dict[str, Any]:
    """The ConfigMaps, as the API server stored them now. The operators' own clock is an hour ahead."""
    late = NOW + timedelta(hours=1)
    fields = [{"manager": MANAGER, "time": at.isoformat()}]
    every = [
        {"metadata": {"name": info.name, "managedFields": fields}, "data": {KEY: replace(info, beat=late).text()}}
        for info in infos
    ]
    broken = {"metadata": {"name": "reconstruction-info.x.y"}, "data": {KEY: "{"}}
    return {"items": [broken, {"metadata": {}, "data": None}, *every]}


def test_the_age_is_measured_by_the_api_servers_clock(api: Api, server: Server) -> None:
    server.put(200, stored(WHOLE))
    installation = published.read(api)

    assert installation.away(NOW + timedelta(seconds=10)) == ""
    assert installation.away(NOW + timedelta(minutes=5)).startswith("the operator last reported 5m ago")


@pytest.mark.parametrize(("leases", "expected"), [((), "recon"), (("maps/operator",), "maps"), (("x/gone",), "recon")])
def test_the_installation_of_the_jobs_is_read(api: Api, server: Server, leases: tuple[str, ...], expected: str) -> None:
    server.put(200, stored(PART, WHOLE))
    assert published.read(api, [job(installation={"lease": lease}) for lease in leases]).namespace == expected


def test_an_installation_that_was_silent_for_a_day_counts_as_removed(api: Api, server: Server) -> None:
    server.put(200, stored(WHOLE, at=NOW - timedelta(days=1)))
    assert published.read(api).missing.startswith("no operator has published its state here in the last day")


@pytest.mark.parametrize("status", [403, 404])
def test_a_cluster_without_published_state_is_named_as_such(api: Api, server: Server, status: int) -> None:
    server.put(status, {"message": "configmaps is forbidden"})
    assert published.read(api).missing.startswith("no operator has published its state here")


@pytest.mark.parametrize(
    ("address", "way"),
    [
        ("https://gallery.example.com", Way("https://gallery.example.com", namespace="recon", lease="recon/operator")),
        ("http://127.0.0.1:8080", Way("http://127.0.0.1:8080", namespace="recon", lease="recon/operator")),
        ("http://gallery.example.com", Way()),  # the token would be readable on the network
        ("service/gallery", Way(service="service/gallery", namespace="recon", lease="recon/operator")),
        ("ftp://127.0.0.1", Way()),
        ("https://[", Way()),
        ("https://gallery.example.com@evil.example.com", Way()),
        ("https://gallery.example.com\\@evil.example.com", Way()),
        ("https://evil.example.com/\x1b[2K\x1b[1Ghttps://gallery.example.com", Way()),
        ("https://gаllery.example.com", Way()),  # noqa: RUF001  # a Cyrillic letter
        ("service/evil\x1b[2K", Way()),
        ("service/a/../b", Way()),
    ],
)
def test_a_token_is_sent_only_to_a_safe_address(api: Api, server: Server, address: str, way: Way) -> None:
    server.put(200, stored(replace(WHOLE, gallery=address)))
    assert published.gallery(api, (), Way()) == way


def test_what_an_operator_publishes_cannot_command_a_terminal(api: Api, server: Server) -> None:
    hostile = "\x1b[2K"
    group = Workers((f"gpu{hostile}",), 1, {f"model{hostile}": {"version": hostile}})
    server.put(200, stored(replace(WHOLE, version=hostile, problems=(hostile,), workers=(group,))))
    installation = published.read(api)
    assert installation.info.version == "\N{REPLACEMENT CHARACTER}[2K"
    texts = (installation.info, installation.problems(NOW), installation.models("gpu\N{REPLACEMENT CHARACTER}[2K"))
    assert "\\x1b" not in repr(texts)


def test_an_operator_cannot_speak_for_another_installation(api: Api, server: Server) -> None:
    forged = stored(replace(WHOLE, gallery="https://evil.example.com"))
    forged["items"][-1]["metadata"]["name"] = PART.name
    server.put(200, {"items": [*forged["items"], *stored(WHOLE)["items"]]})

    assert published.read(api).info.gallery == ""
