"""The thread in which a module is loaded and works, with threads of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from asr_scaling.machine.thread_owners import ThreadOwners

_Result = TypeVar("_Result")


class Lane:
    """One thread for one module.

    torch keeps a team of threads for every thread that calls it, of the size that this thread set.
    So a module in a thread of its own can have threads of its own, and what they use is known.

    threads: of torch's operators in this thread; None leaves it as the device has it.
    """

    def __init__(self, module: str, threads: int | None, owners: ThreadOwners) -> None:
        self._threads = threads

        def begin() -> None:
            owners.own(module)
            self._set_threads()

        self._pool = ThreadPoolExecutor(1, module, initializer=begin)

    def begin(self, work: Callable[..., _Result], *given: Any) -> Future[_Result]:
        """``work`` begins as soon as what was begun before it has ended."""
        return self._pool.submit(work, *given)

    def run(self, work: Callable[..., _Result], *given: Any) -> _Result:
        """What ``work`` returns, once it has ended. Raises what it raises."""
        return self.begin(work, *given).result()

    def close(self) -> None:
        """Wait for what was begun, then end the thread. May be called twice."""
        self._pool.shutdown()

    def _set_threads(self) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and self._threads is not None:
            torch.set_num_threads(self._threads)
