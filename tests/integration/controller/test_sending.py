"""Sending: one POST to a real receiver, and all that the guards refuse before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reconstruction_operator.controller.notifications.cloudevent import CloudEvent
from reconstruction_operator.controller.notifications.sending import DeliveryError, Sender

from devcluster.servers.receiver import KEY, Receiver

EVENT = CloudEvent("uid-1-Fine", {"ce-id": "uid-1-Fine", "Content-Type": "application/json"}, b'{"kind":"Fine"}')
HOST = "events.example.com"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts all events."""
    with Receiver() as running:
        yield running


def sender(*addresses: str, keys: Path | None = None, hosts: tuple[str, ...] = (HOST,)) -> Sender:
    """Return a sender for which every host has these addresses."""
    return Sender(hosts, keys, resolve=lambda *_: [*addresses])


async def test_an_event_is_posted_signed_to_the_address_that_was_checked(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "team").write_text(KEY)

    await sender("127.0.0.1", keys=tmp_path).send(f"http://{HOST}:{receiver.port}/jobs?a=b", EVENT, "team")

    (received,) = receiver.received
    assert (received.path, received.body, received.headers["Host"]) == (
        "/jobs?a=b",
        EVENT.body,
        f"{HOST}:{receiver.port}",
    )
    assert received.is_signed


async def test_without_keys_events_are_not_signed(receiver: Receiver) -> None:
    await sender("127.0.0.1").send(f"http://{HOST}:{receiver.port}/", EVENT, "team")

    assert "webhook-signature" not in receiver.received[0].headers


@pytest.mark.parametrize(
    ("answer", "refused", "down"),
    [
        (200, None, None),
        (202, None, None),
        (307, True, False),
        (400, False, False),
        (429, False, True),
        (503, False, True),
    ],
)
async def test_the_status_of_the_response_decides(
    receiver: Receiver, answer: int, refused: bool | None, down: bool | None
) -> None:
    receiver.answer = answer
    error = None
    try:
        await sender("127.0.0.1").send(f"http://{HOST}:{receiver.port}/", EVENT, "team")
    except DeliveryError as raised:
        error = raised

    assert (getattr(error, "refused", None), getattr(error, "down", None)) == (refused, down)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("url", "addresses", "message"),
    [
        pytest.param(
            "http://other.example.com", ["127.0.0.1"], "host other.example.com is not on the allowlist", id="not listed"
        ),
        pytest.param(
            f"http://{HOST}", ["127.0.0.1", "169.254.169.254"], f"host {HOST} is at 169.254.169.254", id="metadata"
        ),
        pytest.param(f"https://{HOST}", ["::ffff:a9fe:a9fe"], f"host {HOST} is at ::ffff:a9fe:a9fe", id="embedded"),
    ],
)
async def test_a_forbidden_address_is_refused_before_a_connection(url: str, addresses: list[str], message: str) -> None:
    with pytest.raises(DeliveryError, match=message) as error:
        await sender(*addresses).send(url, EVENT, "team")
    assert error.value.refused


async def test_without_its_key_an_event_is_refused(receiver: Receiver, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="the key team cannot be read") as error:
        await sender("127.0.0.1", keys=tmp_path).send(f"http://{HOST}:{receiver.port}/", EVENT, "team")
    assert (error.value.refused, receiver.received) == (True, [])


async def test_a_receiver_that_cannot_be_reached_is_down(receiver: Receiver) -> None:
    receiver.stop()

    with pytest.raises(DeliveryError, match=f"host {HOST} cannot be reached") as error:
        await sender("127.0.0.1").send(f"http://{HOST}:{receiver.port}/", EVENT, "team")
    assert (error.value.refused, error.value.down) == (False, True)


async def test_a_literal_address_is_checked_too() -> None:
    with pytest.raises(DeliveryError, match=r"host 169\.254\.169\.254 is at 169\.254\.169\.254") as error:
        await Sender(("169.254.169.254",), None).send("http://169.254.169.254/latest", EVENT, "team")
    assert error.value.refused
