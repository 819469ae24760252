"""Addresses that a server can have, and those that it can't."""

from __future__ import annotations

import socket

import pytest

from asr_scaling.errors import ConfigError
from asr_scaling.server.listening import bound, is_loopback, url


@pytest.mark.parametrize(
    ("host", "only_here"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("", False),
        ("example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_who_reaches_a_host(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here


def test_a_free_port_is_found_and_nobody_is_let_in_yet() -> None:
    with bound("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        assert url(sock) == f"http://127.0.0.1:{port}"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize("host", ["no such host", "x" * 300, "256.1.1.1", "203.0.113.1"])
def test_hosts_that_this_machine_does_not_have(host: str) -> None:
    with pytest.raises(ConfigError, match=r"can't listen on .*, port 80"), bound(host, 8000):
        pass


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = rf"can't listen on 127.0.0.1, port {port} \(Address already in use\): end what"
        with pytest.raises(ConfigError, match=said), bound("127.0.0.1", port):
            pass
