"""API client: what it sends for a user, and bodies of any text."""

from __future__ import annotations

import json

import pytest
from kubernetes.client.configuration import Configuration
from reconstruction_operator.kube.access import ClusterAccess
from reconstruction_operator.kube.client import Api, encoded
from reconstruction_operator.kube.errors import ApiError


async def test_a_request_as_a_user_without_a_name_is_not_sent() -> None:
    api = Api(ClusterAccess("https://127.0.0.1:1", Configuration()))
    try:
        with pytest.raises(ValueError, match="must name the user"):
            await api.request("PATCH", "/apis", as_user=[])
    finally:
        await api.close()


async def test_a_header_of_a_user_with_a_line_break_is_an_error_of_the_request() -> None:
    api = Api(ClusterAccess("http://127.0.0.1:1", Configuration()))
    try:
        with pytest.raises(ApiError):
            await api.request("GET", "/apis", as_user=[("Authorization", "Bearer a\nb")])
    finally:
        await api.close()


@pytest.mark.parametrize(
    "text", [pytest.param("Größe", id="of several bytes"), pytest.param("a\ud800", id="half of one")]
)
def test_a_body_with_any_character_is_sent(text: str) -> None:
    assert json.loads(encoded([{"value": text}])) == [{"value": text}]
