"""What all requests together may hold at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asr_scaling.server.api_error import overloaded


class Room:
    """An amount of something that requests in flight share. Only the event loop's thread uses it.

    most: of it.
    taken: by all requests.
    what: it is called in errors, as in "uploads".
    """

    def __init__(self, most: float, what: str) -> None:
        self.most, self.taken = most, 0.0
        self.what = what

    @contextmanager
    def share(self) -> Iterator[Callable[[float], None]]:
        """A function that takes some more, which is given back at the end of the block.

        It raises ApiError where there is no more.
        """
        mine = 0.0

        def take(amount: float) -> None:
            nonlocal mine
            if self.taken + amount > self.most:
                raise overloaded(f"This server has no room for more {self.what}: try again.")
            mine += amount
            self.taken += amount

        try:
            yield take
        finally:
            self.taken -= mine
