"""Pages: their sizes, and lists whose version expires."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from reconstruction_operator.kube import pages as module
from reconstruction_operator.kube.errors import ApiError, TooLargeError
from reconstruction_operator.kube.pages import Pages

_OBJECT_BYTES = 1_400_000  # nearly as large as etcd stores


def listing(objects: int, object_bytes: int, asked: list[int]) -> Callable[[Pages], bytes]:
    """Return a server that lists so many objects."""

    def read(pages: Pages) -> bytes:
        limit = int(pages.query["limit"])
        begin = int(pages.query.get("continue", "0").removeprefix("newer-"))
        asked.append(limit)
        end = min(begin + limit, objects)
        if (end - begin) * object_bytes > pages.max_bytes:
            raise TooLargeError(pages.max_bytes)
        items = [{"name": number} for number in range(begin, end)]
        metadata = {"continue": str(end) if end < objects else "", "resourceVersion": "5"}
        text = json.dumps({"items": items, "metadata": metadata})
        return text.encode().ljust((end - begin) * object_bytes)

    return read


def names(read: Callable[[Pages], bytes], pages: Pages) -> list[int]:
    numbers: list[int] = []
    while not pages.complete:
        try:
            numbers += [json.loads(bytes(item))["name"] for item in pages.add(read(pages)).items]
        except ApiError as error:
            pages.failed(error)
    return numbers


def test_pages_of_small_objects_grow_to_the_largest_page() -> None:
    asked: list[int] = []

    assert names(listing(2_000, 100, asked), Pages()) == list(range(2_000))

    assert asked[:4] == [50, 100, 200, 400]
    assert max(asked) == module.PAGE


def test_pages_of_large_objects_are_small_and_nothing_is_lost() -> None:
    asked: list[int] = []

    assert names(listing(30, _OBJECT_BYTES, asked), Pages()) == list(range(30))

    assert asked[0] == 50
    assert max(asked[3:]) == 5


def test_a_page_that_timed_out_is_requested_smaller_the_next_time() -> None:
    """An API server that is busy with large objects may never complete a page of many."""
    pages = Pages()
    for _ in range(2):
        with pytest.raises(ApiError):
            pages.failed(ApiError(0, "TimeoutError", "GET /x"))

    assert pages.query == {"limit": "5"}


def expired(token: str) -> ApiError:
    return ApiError(410, "Expired", "the token is too old", continue_token=token)


def test_a_list_whose_next_page_has_expired_continues_with_a_newer_version() -> None:
    read = listing(300, 100, [])
    refused = iter([expired("newer-150")])

    def expiring(pages: Pages) -> bytes:
        if pages.query.get("continue") == "150" and (error := next(refused, None)):
            raise error
        return read(pages)

    assert names(expiring, Pages()) == list(range(300))


@pytest.mark.parametrize("renewed_by", ["", "150"], ids=["no-new-token", "expired-as-well"])
def test_a_list_that_cannot_continue_raises_the_error(renewed_by: str) -> None:
    def expiring(_: Pages) -> bytes:
        raise expired(renewed_by)

    with pytest.raises(ApiError, match="410"):
        names(expiring, Pages())


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"<html>", b"\xff"])
def test_a_response_that_is_not_a_list_is_an_error(text: bytes) -> None:
    with pytest.raises(ApiError, match="NotJson"):
        Pages().add(text)
