"""Sessions: the cookie, requests from other sites, and the headers of every response."""

import pytest

from devcluster.harness.gallery import Browser, Gallery
from devcluster.harness.jobs import Jobs
from tests.real.gallery.conftest import MakeUser
from tests.real.gallery.test_access import know


def test_scripts_and_other_sites_cannot_use_the_cookie(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    token = make_user("viewer")

    answer = Browser(gallery).sign_in(token)

    assert answer.status == 204
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert token not in answer.headers["set-cookie"]


def test_each_sign_in_starts_a_new_session(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    browser = Browser(gallery)
    token = make_user("viewer")
    browser.sign_in(token)
    first = browser.cookie

    browser.sign_in(token)  # with the first session's cookie (session fixation)

    assert browser.cookie != first
    assert gallery.request("GET", "/api/jobs", headers={"Cookie": first}).status == 401


def test_signing_out_ends_the_session_on_the_server(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    browser = Browser(gallery)
    browser.sign_in(make_user("viewer"))

    assert browser.request("DELETE", "/api/session").status == 204
    assert browser.request("GET", "/api/jobs").status == 401


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X_CSRF_Token": ""}, id="no-csrf-token"),
        pytest.param({"X_CSRF_Token": "0" * 64}, id="wrong-csrf-token"),
        pytest.param({"Sec_Fetch_Site": "cross-site"}, id="other-site"),
        pytest.param({"Sec_Fetch_Site": "same-site"}, id="other-host-of-the-site"),
        pytest.param({"Origin": "https://evil.example.com"}, id="other-origin"),
        pytest.param({"Origin": "null"}, id="sandboxed-frame"),
        pytest.param({"Origin": "", "Sec_Fetch_Site": ""}, id="no-origin"),
    ],
)
def test_a_change_from_another_site_is_rejected(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser, headers: dict[str, str]
) -> None:
    jobs.create("one", suspend=True)
    know(gallery, jobs, "one")
    browser = Browser(gallery)
    browser.sign_in(make_user("editor"))
    body = {"action": "request-cancel", "uid": jobs.get("one")["metadata"]["uid"]}
    path = f"/api/namespaces/{jobs.namespace}/jobs/one/actions"

    assert browser.request("POST", path, body, **headers).status == 403
    assert not jobs.get("one")["spec"]["cancelRequested"]
    assert browser.request("POST", path, body).status == 204  # the page itself


def test_another_site_cannot_sign_a_user_in(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    browser = Browser(gallery)
    token = make_user("viewer")

    answer = browser.request("POST", "/api/session", {"token": token}, Origin="https://evil.example.com")
    form = browser.request("POST", "/api/session", b"token=x", Content_Type="application/x-www-form-urlencoded")

    assert (answer.status, form.status) == (403, 415)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/session", "/nothing", "/static/../app.py"])
def test_every_response_has_the_security_headers(gallery: Gallery, path: str) -> None:
    headers = gallery.request("GET", path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.replace("'wasm-unsafe-eval'", "")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"x" * 70_000, 413, id="too-large"),
        pytest.param(b"[" * 60_000, 400, id="too-deep"),
        pytest.param(b"\xff\xfe", 400, id="no-utf-8"),
        pytest.param(b"[]", 400, id="no-object"),
        pytest.param(b'{"token": 7}', 400, id="no-text"),
        pytest.param(b'{"token": "a\\r\\nX-Evil: 1"}', 401, id="line-break"),
    ],
)
def test_a_malformed_body_is_rejected(gallery: Gallery, body: bytes, status: int) -> None:
    assert Browser(gallery).request("POST", "/api/session", body, Content_Type="application/json").status == status
