from __future__ import annotations

import gc
import socket
import sys
import time

import pytest

from chaos.system.proxies.network import Network
from chaos.system.proxies.tcp import TcpProxy
from devcluster.waiting import wait_until


def end_with_unsent_data(proxy: TcpProxy, server: socket.socket) -> socket.socket:
    """Open and end a connection through `proxy`, with data that the `server` has not taken; return the server's end."""
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        silent, _ = server.accept()
        silent.shutdown(socket.SHUT_WR)
        while not any(writer.transport.get_write_buffer_size() for writer in proxy._open):
            client.sendall(bytes(16_384))
            time.sleep(0.002)  # until the proxy has passed it on; it holds little before it stops to read
        writers = list(proxy._open)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        wait_until(lambda: all(writer.is_closing() for writer in writers), "the end of both directions")
    return silent


def test_a_closed_connection_with_unsent_data_ends_with_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", left.append)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with Network() as network:
            silent = end_with_unsent_data(network.tcp(server.getsockname()[1]), server)
        silent.close()
    gc.collect()
    assert not left
