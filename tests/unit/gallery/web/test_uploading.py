"""Uploads of several service accounts of one namespace: they share a quota."""

from __future__ import annotations

from typing import Any

from reconstruction_gallery.files.uploads import Uploads
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.settings import Settings
from starlette.types import Message

from tests.support.gallery import Server, make_gallery


class Accounts(Server):
    """Every token is the name of its user."""

    async def request(self, _method: str, path: str, *, body: Any = None, **_: Any) -> dict[str, Any]:
        answer = await super().request(_method, path, body=body)
        if "token" in body["spec"]:
            answer["status"]["user"] = {"username": body["spec"]["token"]}
        return answer


async def test_service_accounts_of_one_namespace_share_the_quota_of_uploads(settings: Settings) -> None:
    uploads = Uploads(settings)
    uploads.load()
    app = make_gallery(Accounts({"a"}), Jobs(), settings, uploads)

    async def begun(user: str) -> int:
        headers = [(b"authorization", f"Bearer {user}".encode())]
        scope = {"type": "http", "method": "POST", "path": "/api/namespaces/a/uploads", "headers": headers}
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        await app({**scope, "query_string": b""}, receive, send)
        return int(sent[0]["status"])

    accounts = [await begun(f"system:serviceaccount:maps:{number}") for number in range(21)]

    assert accounts == [201] * 20 + [429]
    assert await begun("system:serviceaccount:scans:1") == await begun("anna") == 201
