"""Downloads from a real HTTPS server on loopback: TLS, redirections, SSRF, DNS rebinding, slow loris."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import itertools
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from reconstruction_operator.transfer import addresses, download
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

Handle = Callable[[http.server.BaseHTTPRequestHandler], None]


def certificate(folder: Path) -> Path:
    """A self-signed certificate for localhost, nas.example and bücher.example, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.DNSName("nas.example"),
        x509.DNSName("xn--bcher-kva.example"),
    ]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@dataclass
class Server:
    """`pages` holds the answer for each path; `hosts` collects the Host headers."""

    port: int
    tls: ssl.SSLContext
    pages: dict[str, Handle] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)

    def url(self, path: str, host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    pem = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(pem))
    running = Server(0, trust)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.hosts.append(self.headers["Host"])
            running.pages.get(self.path.partition("?")[0], lambda handler: handler.send_error(404))(self)

        def log_message(self, *_: object) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    running.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield running
    listening.shutdown()
    listening.server_close()
    thread.join()


def body(content: bytes, *, length: int | str | None = None) -> Handle:
    def handle(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    return handle


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


def get(server: Server, uri: str, tmp_path: Path, limits: Limits) -> bytes:
    target = tmp_path / "download"
    download.download(uri, target, limits, lambda *_: None, resolve=lambda *_: ["127.0.0.1"], tls=server.tls)
    return target.read_bytes()


def test_archive_is_downloaded_with_its_query(server: Server, tmp_path: Path, limits: Limits) -> None:
    server.pages["/a.zip"] = body(b"content")
    assert get(server, server.url("/a.zip?token=1"), tmp_path, limits) == b"content"
    assert server.hosts == [f"localhost:{server.port}"]


def test_certificate_is_checked_for_the_host_not_for_the_address(
    server: Server, tmp_path: Path, limits: Limits
) -> None:
    server.pages["/a.zip"] = body(b"content")
    named = replace(limits, https_hosts=("nas.example",))
    assert get(server, server.url("/a.zip", "nas.example"), tmp_path, named) == b"content"


def test_server_with_the_certificate_of_another_host_is_refused(server: Server, tmp_path: Path, limits: Limits) -> None:
    server.pages["/a.zip"] = body(b"content")
    other = replace(limits, https_hosts=("other.example",))
    with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: .*'other\.example' doesn't match"):
        get(server, server.url("/a.zip", "other.example"), tmp_path, other)


def test_server_with_an_untrusted_certificate_is_refused(server: Server, tmp_path: Path, limits: Limits) -> None:
    server.tls = ssl.create_default_context()
    with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: .*CERTIFICATE_VERIFY_FAILED"):
        get(server, server.url("/a.zip"), tmp_path, limits)


def test_content_length_with_too_many_digits_is_ignored(server: Server, tmp_path: Path, limits: Limits) -> None:
    server.pages["/a.zip"] = body(b"content", length="9" * 5000)
    assert get(server, server.url("/a.zip"), tmp_path, limits) == b"content"


def test_redirections_are_followed(server: Server, tmp_path: Path, limits: Limits) -> None:
    server.pages |= {"/1": to("/2"), "/2": to(server.url("/a.zip"), 307), "/a.zip": body(b"content")}
    assert get(server, server.url("/1"), tmp_path, limits) == b"content"


@pytest.mark.parametrize(
    ("path", "reason", "text"),
    [
        pytest.param("/missing", "INPUT_NOT_FOUND", "(HTTP 404)", id="missing"),
        pytest.param("/forbidden", "INPUT_REFUSED", "(HTTP 403)", id="forbidden"),
        pytest.param("/broken", "INPUT_UNREACHABLE", "answered HTTP 503", id="broken"),
        pytest.param("/loop", "INPUT_REFUSED", "more than 5 redirections", id="a loop"),
        pytest.param("/to-http", "INPUT_REFUSED", "only https:// is downloaded, not http://", id="to plain http"),
        pytest.param("/to-file", "INPUT_REFUSED", "only https:// is downloaded, not file://", id="to a file"),
        pytest.param(
            "/to-other", "INPUT_REFUSED", "host other.example is not among", id="to a host that is not allowed"
        ),
        pytest.param("/to-user", "INPUT_REFUSED", "a user or a password", id="to a URI with a password"),
        pytest.param("/large", "INPUT_REFUSED", "has 9.5 MB; this worker takes 1.0 MB", id="announced too large"),
        pytest.param("/endless", "INPUT_REFUSED", "has more than 1.0 MB", id="too large, not announced"),
        pytest.param("/short", "INPUT_UNREACHABLE", "broke off", id="broken off"),
        pytest.param("/to-half", "INPUT_REFUSED", "which is not a URI", id="to half an address"),
        pytest.param("/to-blank", "INPUT_REFUSED", "names a host that can be none", id="to a host with a blank"),
        pytest.param("/to-dots", "INPUT_REFUSED", "names a host that can be none", id="to a host with an empty part"),
    ],
)
def test_faulty_answer_has_a_reason(
    path: str, reason: str, text: str, *, server: Server, tmp_path: Path, limits: Limits
) -> None:
    server.pages |= {
        "/forbidden": status(403),
        "/broken": status(503),
        "/loop": to("/loop"),
        "/to-http": to(f"http://localhost:{server.port}/a.zip"),
        "/to-file": to("file:///etc/passwd"),
        "/to-other": to("https://other.example/"),
        "/to-user": to(f"https://me:secret@localhost:{server.port}/"),
        "/large": body(b"x", length=10_000_000),
        "/endless": endless,
        "/short": body(b"x" * 10, length=1000),
        "/to-half": to("https://[::1"),
        "/to-blank": to("https://local host/"),
        "/to-dots": to("https://.localhost/"),
    }
    with pytest.raises(StorageError) as caught:
        get(server, server.url(path), tmp_path, limits)
    assert (caught.value.reason, text in caught.value.message) == (reason, True), caught.value.message
    assert "secret" not in caught.value.message


def test_private_address_is_not_connected_to_without_an_allowlist(
    server: Server, tmp_path: Path, limits: Limits
) -> None:
    open_to_all = replace(limits, https_hosts=())
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.1"]

    with pytest.raises(StorageError, match=r"INPUT_REFUSED: host localhost is at 10\.0\.0\.1, which is not a public"):
        download.download(
            server.url("/"), tmp_path / "a", open_to_all, lambda *_: None, resolve=resolve, tls=server.tls
        )
    assert asked == ["localhost"]
    assert server.hosts == []


def test_allowlisted_host_at_a_metadata_address_is_not_connected_to(
    server: Server, tmp_path: Path, limits: Limits
) -> None:
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: host localhost is at 169\.254\.169\.254, which is not an"):
        download.download(
            server.url("/"),
            tmp_path / "a",
            limits,
            lambda *_: None,
            resolve=lambda *_: ["127.0.0.1", "169.254.169.254"],
            tls=server.tls,
        )
    assert server.hosts == []


def test_connection_goes_to_the_address_that_was_checked(server: Server, tmp_path: Path, limits: Limits) -> None:
    server.pages["/a.zip"] = body(b"content")
    answers = [["127.0.0.1"]]  # a second query would fail: DNS rebinding

    download.download(
        server.url("/a.zip"), tmp_path / "a", limits, lambda *_: None, resolve=lambda *_: answers.pop(), tls=server.tls
    )

    assert (tmp_path / "a").read_bytes() == b"content"


@pytest.mark.parametrize("second", ["10.96.0.1", "169.254.169.254", "127.0.0.53"])
def test_redirection_is_resolved_and_checked_again(
    second: str, server: Server, tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 127.0.0.1 counts as public, so that the test's server can send the redirection.
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    answers = [["127.0.0.1"], [second]]
    server.pages["/1"] = to("/2")

    with pytest.raises(StorageError, match=f"INPUT_REFUSED: host localhost is at {second}, which is not a public"):
        download.download(
            server.url("/1"),
            tmp_path / "a",
            replace(limits, https_hosts=()),
            lambda *_: None,
            resolve=lambda *_: answers.pop(0),
            tls=server.tls,
        )


def test_tick_can_end_a_download(server: Server, tmp_path: Path, limits: Limits) -> None:
    server.pages["/endless"] = endless

    def tick(_fraction: float, _text: str) -> None:
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        download.download(
            server.url("/endless"), tmp_path / "a", limits, tick, resolve=lambda *_: ["127.0.0.1"], tls=server.tls
        )


def let_ten_seconds_pass_at_each_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the clock of the download is replaced, so the speed of the machine does not matter."""
    monkeypatch.setattr(download, "time", SimpleNamespace(monotonic=itertools.count(step=10).__next__))


@pytest.mark.parametrize(
    ("sent", "piece", "text"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"x", "has not answered within", id="a header without an end"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", "has not answered within", id="answers before the answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"x", "sent no more than 0.0 MB within", id="content"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            b"x",
            "sent no more than 0.0 MB within",
            id="what stands before a chunk",
        ),
    ],
)
def test_server_that_sends_single_bytes_is_given_up(
    sent: bytes,
    piece: bytes,
    text: str,
    *,
    server: Server,
    tmp_path: Path,
    limits: Limits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_ten_seconds_pass_at_each_check(monkeypatch)
    server.pages["/slow"] = slowly(sent, piece)
    with pytest.raises(StorageError, match=f"INPUT_UNREACHABLE: .*{text}"):
        get(server, server.url("/slow"), tmp_path, limits)


def test_server_above_the_minimum_speed_is_not_given_up(
    server: Server, tmp_path: Path, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_ten_seconds_pass_at_each_check(monkeypatch)
    monkeypatch.setattr(download, "_SPAN_BYTES", 2)

    def handle(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.02)

    server.pages["/slow"] = handle
    assert get(server, server.url("/slow"), tmp_path, limits) == b"x" * 40


def test_each_piece_of_a_slow_server_ticks(server: Server, tmp_path: Path, limits: Limits) -> None:
    server.pages["/slow"] = slowly(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
    seen: list[str] = []

    def tick(_fraction: float, text: str) -> None:
        seen.append(text)
        if len(seen) == 5:
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        download.download(
            server.url("/slow"), tmp_path / "a", limits, tick, resolve=lambda *_: ["127.0.0.1"], tls=server.tls
        )
    assert seen == ["connecting", *["0.0 MB downloaded"] * 4]


@pytest.mark.parametrize("listed", ["bücher.example", "xn--bcher-kva.example"])
def test_a_host_in_another_script_is_called_by_its_name_in_the_network(
    listed: str, server: Server, tmp_path: Path, limits: Limits
) -> None:
    server.pages["/a.zip"] = body(b"content")
    named = replace(limits, https_hosts=(listed,))
    assert get(server, server.url("/a.zip", "bücher.example"), tmp_path, named) == b"content"
    assert server.hosts == [f"xn--bcher-kva.example:{server.port}"]


def test_not_all_addresses_of_a_host_with_very_many_are_tried(server: Server, tmp_path: Path, limits: Limits) -> None:
    tried: list[str] = []
    with pytest.raises(StorageError, match=r"INPUT_UNREACHABLE: .* cannot be reached"):
        download.download(
            "https://localhost:1/a.zip",
            tmp_path / "a",
            limits,
            lambda _, text: tried.append(text),
            resolve=lambda *_: [f"127.0.1.{n}" for n in range(1, 200)],
            tls=server.tls,
        )
    assert tried == ["connecting"] * 8
