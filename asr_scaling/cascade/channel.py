"""A bounded queue between two modules, which knows how long things waited in it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class ClosedError(Exception):
    """Nobody takes anything from the channel any more."""


class Channel(Generic[_Item]):
    """One side puts, the other iterates; ``size`` things wait in it at most.

    ``wait_s``: seconds that the things taken so far have waited, in sum.
    """

    def __init__(self, size: int) -> None:
        self._size, self._changed = size, Condition()
        self._waiting: deque[tuple[float, _Item]] = deque()
        self._ended, self._abandoned = False, False
        self.wait_s = 0.0

    def put(self, item: _Item) -> None:
        """Waits while the channel is full. Raises ClosedError once it is abandoned."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or len(self._waiting) < self._size)
            if self._abandoned:
                raise ClosedError
            self._waiting.append((time.perf_counter(), item))
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more is put; what waits is still taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nothing more is taken; whoever puts is told so, whoever takes ends."""
        with self._changed:
            self._abandoned = True
            self._waiting.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[_Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._abandoned or self._ended or self._waiting)
                if not self._waiting:
                    return
                since, item = self._waiting.popleft()
                self.wait_s += time.perf_counter() - since
                self._changed.notify_all()
            yield item
