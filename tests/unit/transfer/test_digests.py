"""Input digests: which inputs are read before they are copied, and what a digest depends on."""

from __future__ import annotations

import io
from functools import partial

import pytest
from reconstruction_operator.contract.fingerprint import KnownInput
from reconstruction_operator.transfer import digests
from reconstruction_operator.transfer.limits import Tick


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param([], False, id="nothing-known"),
        pytest.param([KnownInput("sha256:a", 2, 10)], True, id="same-number-and-size"),
        pytest.param([KnownInput("sha256:a", 3, 10)], False, id="another-number"),
        pytest.param([KnownInput("sha256:a", 2, 11)], False, id="another-size"),
        pytest.param([KnownInput("etag:a", 2, 10)], False, id="known-by-its-listing"),
        pytest.param([KnownInput("sha256:a", 9, 9), KnownInput("sha256:b", 2, 10)], True, id="one-of-several"),
    ],
)
def test_an_input_is_read_first_if_a_known_input_has_its_number_and_size(
    known: list[KnownInput], expected: bool
) -> None:
    assert digests.may_be_known(known, images=2, total_bytes=10) is expected


def digest(tick: Tick = lambda *_: None, **contents: bytes) -> str:
    return digests.of_photos({name: partial(io.BytesIO, content) for name, content in contents.items()}, tick)


@pytest.mark.parametrize(
    ("others", "same"),
    [
        pytest.param({"a": b"1", "b": b"2"}, True, id="the-same"),
        pytest.param({"a": b"1", "b": b"3"}, False, id="another-content"),
        pytest.param({"a": b"1", "c": b"2"}, False, id="another-name"),
        pytest.param({"a": b"1"}, False, id="one-is-missing"),
    ],
)
def test_a_digest_depends_on_names_and_contents(others: dict[str, bytes], same: bool) -> None:
    assert (digest(a=b"1", b=b"2") == digest(**others)) is same


def test_an_exception_of_the_report_ends_the_work() -> None:
    def stop(_fraction: float, _message: str) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        digest(stop, a=b"1")
