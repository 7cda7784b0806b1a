from __future__ import annotations

import gc
import socket
import sys
import time

import pytest

from chaos.system.proxies.network import Network


def test_a_closed_connection_whose_last_data_nobody_takes_ends_with_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", left.append)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with Network() as network:
            proxy = network.tcp(server.getsockname()[1])
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                silent, _ = server.accept()
                silent.shutdown(socket.SHUT_WR)
                while not any(writer.transport.get_write_buffer_size() for writer in proxy._open):
                    client.sendall(bytes(16_384))
                    time.sleep(0.002)
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
                time.sleep(0.2)  # both directions end
        silent.close()
    gc.collect()
    assert not left
