"""SIGTERM as an exception, so that a point that a scheduler ends is still recorded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from asr_scaling.errors import PointInterruptedError


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM raises PointInterruptedError in this block; only possible in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: object) -> None:
        raise PointInterruptedError(
            "SIGTERM ended this point (a scheduler's time limit, scancel, kill): "
            "run it again, or give it more time."
        )

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
