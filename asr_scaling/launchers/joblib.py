"""Points in worker processes of this machine, through joblib's loky."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from asr_scaling.errors import ConfigError, MissingExtraError
from asr_scaling.launchers.work import Work

_GRACE_S = 10.0
"""Seconds in which an interrupted point can write its record."""
_MEASURING = threading.Lock()
"""Held in a worker while it measures."""


@dataclass(frozen=True)
class Joblib:
    """n_jobs: worker processes; more than one disturb each other's measurements."""

    n_jobs: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.n_jobs, int) or self.n_jobs < 1:
            raise ConfigError(f"hydra.launcher.n_jobs must be 1 or more; got {self.n_jobs}.")

    def run(self, works: Sequence[Work]) -> Generator[tuple[Work, str | None], None, None]:
        """Measure in order; a worker that died loses one point and is replaced."""
        waiting, free = deque(works), [_Worker() for _ in range(min(self.n_jobs, len(works)))]
        busy: dict[Future[str | None], tuple[Work, _Worker]] = {}
        try:
            while waiting or busy:
                while waiting and free:
                    work, worker = waiting.popleft(), free.pop()
                    busy[worker.carry_out(work)] = work, worker
                for future in wait(busy, return_when=FIRST_COMPLETED).done:
                    work, worker = busy.pop(future)
                    error = future.exception()
                    free.append(worker if error is None else _Worker())
                    yield (
                        work,
                        future.result()
                        if error is None
                        else f"its worker process died ({_first(error)})",
                    )
        finally:
            for _, worker in busy.values():
                worker.terminate()
            wait(busy, timeout=_GRACE_S)
            for worker in (*free, *(worker for _, worker in busy.values())):
                worker.executor.shutdown(wait=not busy, kill_workers=bool(busy))


class _Worker:
    """A process that measures what it is given."""

    def __init__(self) -> None:
        try:
            from joblib.externals.loky import ProcessPoolExecutor
        except ImportError:
            raise MissingExtraError("joblib", "joblib") from None
        self.executor: Any = ProcessPoolExecutor(
            max_workers=1, initializer=_end_with, initargs=(os.getpid(),)
        )
        self._pid = self.executor.submit(os.getpid)

    def carry_out(self, work: Work) -> Future[str | None]:
        done: Future[str | None] = self.executor.submit(_measure, work)
        return done

    def terminate(self) -> None:
        """Ask it to end its point; the point records that."""
        os.kill(self._pid.result(), signal.SIGTERM)


def _measure(work: Work) -> str | None:
    with _MEASURING:
        return work.carry_out()


def _end_with(client: int) -> None:
    """In the worker: end once the client is gone, which loky's workers never notice, and the point has ended."""

    def watch() -> None:
        while os.getppid() == client:
            time.sleep(2)
        with _MEASURING:
            os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _first(error: BaseException) -> str:
    """loky's first sentence has the exit code, what follows is general advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next(
        (line for line in lines if "exit code" in line.lower()),
        lines[0] if lines else type(error).__name__,
    )
