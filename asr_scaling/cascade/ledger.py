"""Writes down what each module does in a call, and makes an account of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock

from asr_scaling.core.module_use import BETWEEN, RECOGNITION, Account, ModuleUse, Span
from asr_scaling.machine.thread_owners import OTHERS, ThreadOwners, thread_times


@dataclass(frozen=True)
class Counted:
    """What only a module, or the queue before it, can tell of a call.

    device_s: seconds for which it occupied an accelerator; None without one.
    moved_bytes: bytes that it moved to or from an accelerator; None where it does not tell.
    wait_s: seconds that its inputs waited in the queue before it.
    padding_share: share of the audio that it was given that is padding; None where it has none.
    """

    device_s: float | None = None
    moved_bytes: int | None = 0
    wait_s: float = 0.0
    padding_share: float | None = None


class Ledger:
    """The stretches of work of one call; several threads may write at once.

    learning: one module works at a time, so that it is seen which threads work for which.
    """

    def __init__(self, owners: ThreadOwners, *, learning: bool = False) -> None:
        owners.own(OTHERS)  # what the calling thread does for recognition is measured below
        self._owners, self._learning = owners, learning
        self._lock, self._spans = Lock(), list[Span]()
        self._recognising_s = 0.0
        self._threads, self._cpu_s = thread_times(), time.process_time()
        self._start_s = time.perf_counter()

    @contextmanager
    def work(self, module: str, device: str, items: int) -> Iterator[None]:
        """In this block the calling thread works for ``module``, on so many ``items``."""
        if self._learning:
            self._owners.forget_idle()
        start_s, thread_s = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            end_s = time.perf_counter()
            begin = self._start_s
            span = Span(module, start_s - begin, end_s - begin, device, items)
            with self._lock:
                self._spans.append(span)
                if module == RECOGNITION:
                    self._recognising_s += time.thread_time() - thread_s
            if self._learning:
                self._owners.worked(module)

    def account(self, counted: Mapping[str, Counted]) -> Account:
        """The account of the call, which ends now.

        counted: module → what it tells itself; every module has an entry.
        """
        total_s = time.perf_counter() - self._start_s
        cpu_s = time.process_time() - self._cpu_s
        if self._learning:
            self._owners.settle()
        used = self._owners.used(self._threads, thread_times())
        used[RECOGNITION] = used.get(RECOGNITION, 0.0) + self._recognising_s
        modules = {name: self._use(name, own, used) for name, own in counted.items()}
        rest_s = max(0.0, total_s - _covered_s(self._spans))
        known = sum(use.cpu_s or 0.0 for use in modules.values())
        rest_cpu_s = max(0.0, cpu_s - known) if self._owners.known else None
        modules[BETWEEN] = ModuleUse(wall_s=rest_s, cpu_s=rest_cpu_s)
        return Account(total_s, cpu_s, modules, tuple(self._spans))

    def _use(self, module: str, own: Counted, used: Mapping[str, float]) -> ModuleUse:
        spans = [span for span in self._spans if span.module == module]
        use = ModuleUse(
            wall_s=sum(span.end_s - span.start_s for span in spans),
            device_s=own.device_s,
            wait_s=own.wait_s,
            moved_bytes=own.moved_bytes,
            padding_share=own.padding_share,
            calls=sum(span.items > 0 for span in spans),
            items=sum(span.items for span in spans),
        )
        return replace(use, cpu_s=used.get(module, 0.0)) if self._owners.known else use


def _covered_s(spans: Sequence[Span]) -> float:
    """Seconds in which at least one module works."""
    covered_s, until_s = 0.0, 0.0
    for span in sorted(spans, key=lambda span: span.start_s):
        covered_s += max(0.0, span.end_s - max(span.start_s, until_s))
        until_s = max(until_s, span.end_s)
    return covered_s
