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

from asr_scaling.core.option_checks import imported
from asr_scaling.errors import ConfigError
from asr_scaling.launchers.work import Work, first_line

_GRACE_S = 10.0
"""Seconds in which an interrupted point can write its record."""
_MEASURING = threading.Lock()
"""Held in a worker while it measures."""


@dataclass(frozen=True)
class Joblib:
    """Runs points in worker processes of this machine.

    n_jobs: number of worker processes; more than one disturb each other's measurements.
    """

    n_jobs: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.n_jobs, int) or self.n_jobs < 1:
            raise ConfigError(f"hydra.launcher.n_jobs must be 1 or more; got {self.n_jobs}.")

    def run(self, works: Sequence[Work]) -> Generator[tuple[Work, str | None], None, None]:
        """Measure in order; when a worker dies, one point is lost and a new worker takes over."""
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
                    free.append(_Worker() if error else worker)
                    # of loky's message, the line with the exit code; the rest is advice
                    death = first_line(error, "exit code") if error else ""
                    yield work, f"its worker process died ({death})" if error else future.result()
        finally:
            measuring = [worker for _, worker in busy.values()]
            for worker in measuring:
                worker.terminate()
            wait(busy, timeout=_GRACE_S)
            for worker in (*free, *measuring):
                worker.executor.shutdown(wait=not busy, kill_workers=bool(busy))


class _Worker:
    """A process that measures the points it is given."""

    def __init__(self) -> None:
        loky = imported("joblib.externals.loky", "joblib")
        self.executor = loky.ProcessPoolExecutor(
            max_workers=1, initializer=_end_with, initargs=(os.getpid(),)
        )
        self._pid = self.executor.submit(os.getpid)

    def carry_out(self, work: Work) -> Future[str | None]:
        future: Future[str | None] = self.executor.submit(_measure, work)
        return future

    def terminate(self) -> None:
        """Ask it to end its point, which is then recorded as interrupted."""
        os.kill(self._pid.result(), signal.SIGTERM)


def _measure(work: Work) -> str | None:
    with _MEASURING:
        return work.carry_out()


def _end_with(client: int) -> None:
    """In the worker: end when the client is gone and no point is measured.

    client: process id of the client, whose end loky's workers don't notice.
    """

    def watch() -> None:
        while os.getppid() == client:
            time.sleep(2)
        with _MEASURING:
            os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
