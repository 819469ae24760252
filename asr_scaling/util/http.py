"""Asking whether a web address answers, with a limit of time for the whole of it."""

from __future__ import annotations

import ssl
import urllib.request
from concurrent.futures import Future
from threading import Thread
from urllib.error import HTTPError


def ask_url(
    url: str, limit_s: float, method: str = "GET", tls: ssl.SSLContext | None = None
) -> None:
    """Return once ``url`` answers well.

    In a thread, because looking up a name, and trying a host's many addresses, have no limit
    of time that one can set.

    tls: how an https server is checked, if not as Python does by itself.

    Raises TimeoutError after ``limit_s`` seconds, and whatever ``urlopen`` raises.
    """
    answer = Future[None]()

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method=method)
            with urllib.request.urlopen(request, timeout=limit_s, context=tls):
                answer.set_result(None)
        except BaseException as error:
            if isinstance(error, HTTPError):
                error.close()
            answer.set_exception(error)

    Thread(target=ask, name="ask-url", daemon=True).start()
    answer.result(limit_s)
