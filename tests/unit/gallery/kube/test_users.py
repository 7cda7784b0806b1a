"""Users: tokens, users that a proxy may name, and the headers of requests as a user."""

import asyncio
import base64
import json
from typing import Any, cast

import pytest
from reconstruction_gallery.kube.users import (
    BoundTokenError,
    NotAuthenticatedError,
    RefusedUserError,
    Tokens,
    User,
    proxied,
)
from reconstruction_operator.kube.client import Api


class Reviews:
    """An API server that accepts one token, and delays the reviews of others until `let` is set."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.asked = 0

    async def request(self, _method: str, _path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if body["spec"]["token"] == "known":
            return {"status": {"authenticated": True, "user": {"username": "anna"}}}
        await self.let.wait()
        return {"status": {"authenticated": False}}


async def test_a_flood_of_invalid_tokens_does_not_delay_a_signed_in_user() -> None:
    reviews = Reviews()
    tokens = Tokens(cast(Api, reviews), 0.0, "gallery.recon")  # each request is reviewed
    assert (await tokens.user("known")).name == "anna"
    flood = [asyncio.create_task(tokens.user(f"made-up-{number}")) for number in range(200)]
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        assert (await tokens.user("known")).name == "anna"

    assert reviews.asked < 2 + len(flood)  # most requests wait in the gallery
    reviews.let.set()
    refused = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(error) for error in refused} == {NotAuthenticatedError}


def test_a_user_of_a_proxy_is_impersonated_with_every_group() -> None:
    user = proxied("anna", ["team", "", "system:authenticated", "other"])

    assert user.request_headers == [
        ("Impersonate-User", "anna"),
        ("Impersonate-Group", "team"),
        ("Impersonate-Group", "other"),
    ]
    assert user.review["groups"] == ["team", "other", "system:authenticated"]


def test_a_group_that_the_gallery_may_not_impersonate_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        user = proxied("anna", ["team", "other"], allowed=("team", "museum"))

    assert user.groups == ("team", "system:authenticated")
    assert [record.getMessage() for record in caplog.records] == [
        "GALLERY_PROXY_GROUPS does not name the proxy's group other: it gives no rights here"
    ]


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        pytest.param("system:admin", [], id="user"),
        pytest.param("system:serviceaccount:kube-system:default", [], id="account"),
        pytest.param("anna", ["system:masters"], id="masters"),
        pytest.param("anna", ["system:nodes"], id="nodes"),
        pytest.param("anna\r\nImpersonate-Group: system:masters", [], id="line-break"),
        pytest.param("anna", [f"group-{number}" for number in range(501)], id="too-many"),
    ],
)
def test_a_proxy_may_not_name_reserved_users_and_groups(name: str, groups: list[str]) -> None:
    with pytest.raises(RefusedUserError):
        proxied(name, groups)


def test_a_token_is_not_printed() -> None:
    assert "secret" not in repr(User("anna", token="secret"))


def jwt(audience: object) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"aud": audience}).encode()).decode().rstrip("=")
    return f"head.{claims}.signature"


class Audiences:
    """An API server that accepts every token for the audiences of the review, and notes them."""

    def __init__(self, accepted: list[str]) -> None:
        self.accepted = accepted
        self.asked: list[object] = []

    async def request(self, _method: str, _path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body["spec"].get("audiences"))
        return {"status": {"authenticated": True, "user": {"username": "anna"}, "audiences": self.accepted}}


@pytest.mark.parametrize(
    ("audience", "asked", "bound"),
    [
        pytest.param("gallery.recon", ["gallery.recon"], True, id="text"),
        pytest.param(["gallery.recon"], ["gallery.recon"], True, id="list"),
        pytest.param(["gallery.recon", "https://api"], None, False, id="also-the-api-server"),
        pytest.param(["https://api"], None, False, id="api-server"),
        pytest.param({"gallery.recon": 1}, None, False, id="no-list"),
    ],
)
async def test_a_token_for_the_gallery_alone_authenticates_no_write(
    audience: object, asked: object, bound: bool
) -> None:
    reviews = Audiences(["gallery.recon"])
    user = await Tokens(cast(Api, reviews), 0.0, "gallery.recon").user(jwt(audience))

    assert (reviews.asked, user.bound) == ([asked], bound)
    if bound:
        with pytest.raises(BoundTokenError):
            user.request_headers  # noqa: B018  # a property


@pytest.mark.parametrize("token", [jwt("gallery.recon"), jwt(["gallery.recon"])])
async def test_a_server_that_ignores_audiences_is_not_believed(token: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        await Tokens(cast(Api, Audiences([])), 0.0, "gallery.recon").user(token)


@pytest.mark.parametrize("token", ["x", "a.b", "a.%%%.c", "a." + "W1tb" * 3000 + ".c", "a.W10.c", "a.NQ.c"])
async def test_a_token_that_is_no_jwt_is_reviewed_for_the_api_server(token: str) -> None:
    reviews = Audiences([])
    await Tokens(cast(Api, reviews), 0.0, "gallery.recon").user(token)
    assert reviews.asked == [None]
