"""Downloads from a real HTTPS server on loopback: TLS, redirections, SSRF, DNS rebinding, slow loris."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import ssl
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.https import addresses, connection, download
from reconstruction_operator.transfer.limits import Limits

from tests.support.servers.https import Handle, Server, sending


def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):  # the client has closed the connection
        while True:
            handler.wfile.write(b"x" * 65_536)


def slowly(prefix: bytes, piece: bytes) -> Handle:
    """A few bytes every 20 ms until the client closes the connection."""

    def handle(handler: http.server.BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            handler.wfile.write(prefix)
            while True:
                handler.wfile.write(piece)
                time.sleep(0.02)

    return handle


def to(location: str, status: int = 302) -> Handle:
    def handle(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return handle


def status(code: int) -> Handle:
    return lambda handler: handler.send_error(code)


def test_archive_is_downloaded_with_its_query(server: Server, limits: Limits) -> None:
    server.pages["/a.zip"] = sending(b"content")
    assert server.get(server.url("/a.zip?token=1"), limits) == b"content"
    assert server.hosts == [f"localhost:{server.port}"]


def test_certificate_is_checked_for_the_host_not_for_the_address(server: Server, limits: Limits) -> None:
    server.pages["/a.zip"] = sending(b"content")
    hosts = replace(limits, https_hosts=("nas.example", "other.example"))
    assert server.get(server.url("/a.zip", "nas.example"), hosts) == b"content"
    with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: .*'other\.example' doesn't match"):
        server.get(server.url("/a.zip", "other.example"), hosts)


def test_server_with_an_untrusted_certificate_is_refused(server: Server, limits: Limits) -> None:
    server.tls = ssl.create_default_context()
    with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: .*CERTIFICATE_VERIFY_FAILED"):
        server.get(server.url("/a.zip"), limits)


def test_redirections_are_followed(server: Server, limits: Limits) -> None:
    server.pages |= {"/1": to("/2"), "/2": to(server.url("/a.zip"), 307), "/a.zip": sending(b"content")}
    assert server.get(server.url("/1"), limits) == b"content"


@pytest.mark.parametrize(
    ("path", "reason", "text"),
    [
        pytest.param("/missing", "INPUT_NOT_FOUND", "(HTTP 404)", id="missing"),
        pytest.param("/forbidden", "INPUT_REFUSED", "(HTTP 403)", id="forbidden"),
        pytest.param("/broken", "INPUT_UNREACHABLE", "returned HTTP 503", id="broken"),
        pytest.param("/loop", "INPUT_REFUSED", "more than 5 redirections", id="a loop"),
        pytest.param("/to-http", "INPUT_REFUSED", "only https:// is downloaded, not http://", id="to plain http"),
        pytest.param(
            "/to-other",
            "INPUT_REFUSED",
            "host other.example is not on the allowlist",
            id="to a host that is not allowed",
        ),
        pytest.param("/to-user", "INPUT_REFUSED", "the user or password", id="to a URI with a password"),
        pytest.param(
            "/large", "INPUT_REFUSED", "has 9.5 MB; this worker accepts at most 1.0 MB", id="announced too large"
        ),
        pytest.param("/endless", "INPUT_REFUSED", "has more than 1.0 MB", id="too large, not announced"),
        pytest.param("/short", "INPUT_UNREACHABLE", "the connection was lost", id="broken off"),
        pytest.param("/to-half", "INPUT_REFUSED", "which is not a URI", id="to half an address"),
        pytest.param("/to-blank", "INPUT_REFUSED", "has an invalid host name", id="to a host with a blank"),
        pytest.param("/to-dots", "INPUT_REFUSED", "has an invalid host name", id="to a host with an empty part"),
    ],
)
def test_faulty_answer_has_a_reason(path: str, reason: str, text: str, *, server: Server, limits: Limits) -> None:
    server.pages |= {
        "/forbidden": status(403),
        "/broken": status(503),
        "/loop": to("/loop"),
        "/to-http": to(f"http://localhost:{server.port}/a.zip"),
        "/to-other": to("https://other.example/"),
        "/to-user": to(f"https://me:secret@localhost:{server.port}/"),
        "/large": sending(b"x", length=10_000_000),
        "/endless": endless,
        "/short": sending(b"x" * 10, length=1000),
        "/to-half": to("https://[::1"),
        "/to-blank": to("https://local host/"),
        "/to-dots": to("https://.localhost/"),
    }
    with pytest.raises(StorageError) as caught:
        server.get(server.url(path), limits)
    assert (caught.value.reason, text in caught.value.message) == (reason, True), caught.value.message
    assert "secret" not in caught.value.message


def test_private_address_is_not_connected_to_without_an_allowlist(server: Server, limits: Limits) -> None:
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.1"]

    with pytest.raises(StorageError, match=r"INPUT_REFUSED: host localhost is at 10\.0\.0\.1, which is not a public"):
        server.get(server.url("/"), replace(limits, https_hosts=()), resolve=resolve)
    assert asked == ["localhost"]
    assert server.hosts == []


def test_connection_goes_to_the_address_that_was_checked(server: Server, limits: Limits) -> None:
    server.pages["/a.zip"] = sending(b"content")
    answers = [["127.0.0.1"]]  # a second query would fail: DNS rebinding
    assert server.get(server.url("/a.zip"), limits, resolve=lambda *_: answers.pop()) == b"content"


@pytest.mark.parametrize("second", ["10.96.0.1", "169.254.169.254", "127.0.0.53"])
def test_redirection_is_resolved_and_checked_again(
    second: str, server: Server, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 127.0.0.1 counts as public, so that the test's server can send the redirection.
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    answers = [["127.0.0.1"], [second]]
    server.pages["/1"] = to("/2")
    with pytest.raises(StorageError, match=f"INPUT_REFUSED: host localhost is at {second}, which is not a public"):
        server.get(server.url("/1"), replace(limits, https_hosts=()), resolve=lambda *_: answers.pop(0))


def let_ten_seconds_pass_at_each_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the clock of the download is replaced, so the speed of the machine does not matter."""
    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=itertools.count(step=10).__next__))


@pytest.mark.parametrize(
    ("sent", "piece", "text"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"x", "did not respond within", id="a header without an end"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", "did not respond within", id="answers before the answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"x", "sent only 0.0 MB within", id="content"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            b"x",
            "sent only 0.0 MB within",
            id="what stands before a chunk",
        ),
    ],
)
def test_download_from_a_server_that_sends_single_bytes_fails(
    sent: bytes, piece: bytes, text: str, *, server: Server, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_ten_seconds_pass_at_each_check(monkeypatch)
    server.pages["/slow"] = slowly(sent, piece)
    with pytest.raises(StorageError, match=f"INPUT_UNREACHABLE: .*{text}"):
        server.get(server.url("/slow"), limits)


def test_download_from_a_server_above_the_minimum_speed_succeeds(
    server: Server, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_ten_seconds_pass_at_each_check(monkeypatch)

    def handle(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.001)  # so that they arrive one by one

    server.pages["/slow"] = handle
    assert server.get(server.url("/slow"), replace(limits, span_bytes=2)) == b"x" * 40


def test_each_piece_of_a_slow_server_ticks(server: Server, limits: Limits) -> None:
    server.pages["/slow"] = slowly(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
    seen: list[str] = []

    def tick(_fraction: float, text: str) -> None:
        seen.append(text)
        if len(seen) == 5:
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        server.get(server.url("/slow"), limits, tick=tick)
    assert seen == ["connecting", *["0.0 MB downloaded"] * 4]


def test_not_all_addresses_of_a_host_with_very_many_are_tried(server: Server, limits: Limits) -> None:
    tried: list[str] = []
    many = [f"127.0.1.{n}" for n in range(1, 200)]
    with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: .* cannot be reached"):
        server.get(
            "https://localhost:1/a.zip", limits, tick=lambda _, text: tried.append(text), resolve=lambda *_: many
        )
    assert tried == ["connecting"] * 8


@pytest.mark.parametrize("listed", ["bücher.example", "xn--bcher-kva.example"])
def test_a_host_in_another_script_is_asked_by_its_dns_name(listed: str, server: Server, limits: Limits) -> None:
    server.pages["/a.zip"] = sending(b"content")
    named = replace(limits, https_hosts=(listed,))
    assert server.get(server.url("/a.zip", "bücher.example"), named) == b"content"
    assert server.hosts == [f"xn--bcher-kva.example:{server.port}"]


def tagged(etag: str, content: bytes = b"content", *, lies: bool = False) -> Handle:
    """A server that answers 304 where it is asked for another content than that of the ETag; or always."""

    def handle(handler: http.server.BaseHTTPRequestHandler) -> None:
        is_same = handler.headers["If-None-Match"] == etag
        handler.send_response(304 if is_same or lies else 200)
        handler.send_header("ETag", etag)
        handler.send_header("Content-Length", "0" if is_same or lies else str(len(content)))
        handler.end_headers()
        if not is_same:
            handler.wfile.write(content)

    return handle


def ask(server: Server, limits: Limits, etag: str = "") -> str | None:
    uri = server.url("/a.zip")
    return download.download(
        uri, server.target, limits, lambda *_: None, etag=etag, resolve=lambda *_: ["127.0.0.1"], tls=server.tls
    )


def test_an_archive_with_the_same_etag_is_not_sent_again(server: Server, limits: Limits) -> None:
    server.pages["/a.zip"] = tagged('"1"')
    assert ask(server, limits) == '"1"'
    server.target.unlink()

    assert ask(server, limits, '"1"') is None
    assert not server.target.exists()

    server.pages["/a.zip"] = tagged('"2"')
    assert ask(server, limits, '"1"') == '"2"'
    assert server.target.read_bytes() == b"content"


@pytest.mark.parametrize("etag", ['W/"1"', "1", '"' + "x" * 300 + '"', '"a\tb"'])
def test_an_etag_that_does_not_name_the_bytes_is_not_kept(server: Server, limits: Limits, etag: str) -> None:
    server.pages["/a.zip"] = tagged(etag)
    assert ask(server, limits) == ""


def test_a_server_that_claims_an_unchanged_archive_unasked_is_refused(server: Server, limits: Limits) -> None:
    server.pages["/a.zip"] = tagged('"1"', lies=True)
    with pytest.raises(StorageError, match="returned HTTP 304"):
        ask(server, limits)
