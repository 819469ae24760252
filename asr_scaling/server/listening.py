"""Where a server listens, and how it ends: what is in flight is answered first."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from asr_scaling.errors import ConfigError
from asr_scaling.util.redact import Formatter

_KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep a connection, so that none is closed as a request comes."""
_BACKLOG = 1024


def is_loopback(host: str) -> bool:
    """Whether nobody but programs of this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that has the address and does not listen yet, so that clients are refused.

    port: 0 for any that is free.
    Raises ConfigError where the address can't be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _unusable(host, port, error) from error
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
        except OSError as error:
            raise _unusable(host, port, error) from error
        yield sock


def url(sock: socket.socket) -> str:
    """ "http://127.0.0.1:8000"."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def answer(app: ASGIApp, sock: socket.socket, ready: Callable[[], None]) -> bool:
    """Answer requests until SIGTERM or SIGINT, then what is in flight; a second one ends that too.

    ready: called once it listens.
    Returns whether all were answered. Raises ConfigError where another program listens already.
    """
    try:
        sock.listen(_BACKLOG)
    except OSError as error:
        host, port = sock.getsockname()[:2]
        raise _unusable(host, port, error) from error
    log = logging.getLogger("uvicorn.error")
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter("%(message)s"))
    log.addHandler(handler)
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        server_header=False,
    )
    try:
        server = _Server(config, ready)
        server.run([sock])
    finally:
        log.removeHandler(handler)
    return not server.cut


class _Server(uvicorn.Server):
    """Ends by a signal without dying of it, and says when it listens.

    cut: whether it left requests without an answer.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self.cut = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, and wait for what is in flight."""
        await super().shutdown(sockets)
        self.cut = bool(self.server_state.tasks)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal ends the server, the second one what is in flight."""
        self.force_exit = self.should_exit
        self.should_exit = True


def _unusable(host: str, port: int, error: Exception) -> ConfigError:
    reason = getattr(error, "strerror", None) or error
    return ConfigError(
        f"The server can't listen on {host}, port {port} ({reason}): end what listens there, or "
        "choose another one with --port or --host."
    )
