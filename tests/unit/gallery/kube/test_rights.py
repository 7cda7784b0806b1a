"""Rights: reviews are shared by the tokens of a user and by its streams, and expire together."""

from typing import Any, cast

import pytest
from reconstruction_gallery.kube.rights import SEE, Rights
from reconstruction_gallery.kube.users import Tokens, User
from reconstruction_operator.kube.client import Api

from tests.support.controller.clock import Clock

NAMESPACES = frozenset({"a", "b"})


class Server:
    """An API server that accepts every token, as another credential of one account, and allows one namespace."""

    def __init__(self) -> None:
        self.allowed = "a"
        self.asked = 0

    async def request(self, _method: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("tokenreviews"):
            extra = {"authentication.kubernetes.io/credential-id": [body["spec"]["token"]]}
            return {"status": {"authenticated": True, "user": {"username": "anna", "extra": extra}}}
        self.asked += 1
        return {"status": {"allowed": body["spec"]["resourceAttributes"]["namespace"] == self.allowed}}


async def test_all_tokens_of_a_user_share_reviews() -> None:
    server = Server()
    tokens = Tokens(cast(Api, server), 100.0, "gallery")
    rights = Rights(cast(Api, server), 100.0, monotonic=Clock(0.0))

    for number in range(60):
        assert await rights.visible(await tokens.user(f"token-{number}"), NAMESPACES) == {"a"}

    assert server.asked == len(NAMESPACES) + 1


async def test_the_streams_of_a_user_share_one_set_of_namespaces() -> None:
    rights = Rights(cast(Api, Server()), 100.0, monotonic=Clock(0.0))

    first, second = [await rights.visible(User("anna", token=token), NAMESPACES) for token in ("one", "other")]

    assert first is second


async def test_an_answer_made_from_others_is_never_older_than_they_are() -> None:
    server = Server()
    clock = Clock(0.0)
    rights = Rights(cast(Api, server), 10.0, monotonic=clock)
    user = User("anna")
    await rights.may(user, SEE, "a")
    server.allowed = "none"
    clock.now = 9.0
    await rights.visible(user, NAMESPACES)

    clock.now = 10.0

    assert await rights.visible(user, NAMESPACES) == frozenset()


@pytest.mark.parametrize(
    ("name", "client"),
    [
        pytest.param("system:serviceaccount:maps:viewer", "system:serviceaccount:maps", id="account"),
        pytest.param("https://issuer.example.com#anna", "https://issuer.example.com#anna", id="person"),
    ],
)
def test_the_service_accounts_of_a_namespace_are_one_client(name: str, client: str) -> None:
    assert User(name).client == client


@pytest.mark.parametrize(
    ("user", "namespaces", "creates"),
    [
        pytest.param("anna", {"b", "a"}, True, id="in-one-of-those-that-are-visible"),
        pytest.param("anna", {"b"}, False, id="in-none"),
        pytest.param("anna", set(), True, id="nothing-is-visible-yet"),
        pytest.param("system:serviceaccount:a:vase", set(), True, id="in-the-accounts-own"),
        pytest.param("system:serviceaccount:b:vase", set(), False, id="not-in-the-accounts-own"),
    ],
)
async def test_a_user_who_may_create_no_job_is_known(user: str, namespaces: set[str], creates: bool) -> None:
    rights = Rights(cast(Api, Server()), 100.0, monotonic=Clock(0.0))

    assert await rights.creates(User(user), frozenset(namespaces)) is creates
