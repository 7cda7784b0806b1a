"""Users: tokens, users that a proxy may name, and the headers of requests as a user."""

import asyncio
from typing import Any, cast

import pytest
from reconstruction_gallery.kube.users import NotAuthenticatedError, RefusedUserError, Tokens, User, proxied
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
    tokens = Tokens(cast(Api, reviews), keep_seconds=0.0)  # each request is reviewed
    assert (await tokens.user("known")).name == "anna"
    flood = [asyncio.create_task(tokens.user(f"made-up-{number}")) for number in range(200)]
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        assert (await tokens.user("known")).name == "anna"

    assert reviews.asked < 2 + len(flood)  # most requests wait in the gallery
    reviews.let.set()
    refused = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(one) for one in refused} == {NotAuthenticatedError}


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
