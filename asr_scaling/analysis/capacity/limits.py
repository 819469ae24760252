"""What keeps a system from holding more requests, as its loads show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asr_scaling.analysis.capacity.curves import P50, TAILS, Curve
from asr_scaling.analysis.format import duration, percent, plain
from asr_scaling.core.pooled_loads import PooledLoad
from asr_scaling.core.typed_json import number

_WAITING = 0.5
"""Share of a latency that is waiting from which waiting is what breaks the bound."""
_BUSY = 0.85
"""Share of its time from which a core or an accelerator has nothing left to give."""
_FULL, _ALMOST_ONE = 0.9, 1.5
"""Of ``serving.max_batch`` what makes batches full; requests in a call that make them none."""
_ERRORS = 0.01
"""Share of requests without a text from which that is what is wrong."""
_LOST = {
    "load/refused_share": "turned away at once",
    "load/timed_out_share": "not answered in time",
    "load/failed_share": "failed",
}


@dataclass(frozen=True)
class Limit:
    """One thing that limits a system.

    name: in a word or two, as "cores".
    said: a sentence with the figures behind it.
    """

    name: str
    said: str


def limits(curve: Curve) -> tuple[Limit, ...]:
    """What limits the system of a curve, what decides first; at least one."""
    found = [*_generator(curve), *_service(curve)]
    return tuple(found) or (Limit("not known", "No load says what limits it."),)


def _generator(curve: Curve) -> Iterator[Limit]:
    """Where the loads beyond the last one that is known are withheld."""
    last = max((step.offered_per_s or 0.0 for step in curve.steps), default=0.0)
    beyond = [load.offered_per_s or 0.0 for load in curve.withheld]
    if beyond and max(beyond) > last and curve.broken_from is None:
        said = "the generator did not keep its schedule, so that nothing is known of the service"
        yield Limit("generator", f"From {plain(min(beyond))} requests a second on, {said}.")


def _service(curve: Curve) -> Iterator[Limit]:
    """By the lowest load that did not keep the bound, or else the highest."""
    if not curve.steps:
        return
    rate = curve.broken_from
    step = curve.steps[-1] if rate is None else next(_of_rate(curve, rate))
    at = f"{step.clients} clients" if curve.closed else f"{plain(step.offered_per_s or 0)}/s"
    if rate is None and not curve.closed and not _behind(step):
        kept = "broke the bound" if curve.bound else "shows one"
        yield Limit("not reached", f"No load {kept}, up to {at}.")
        return
    yield from _lost(step, at)
    yield from _time(curve, step, at)
    yield from _batches(curve, step, at)


def _behind(step: PooledLoad) -> bool:
    """Whether requests wait more than they are worked on, where no bound was asked for."""
    waiting = _waiting(step)
    return step.verdict == "unasked" and waiting is not None and waiting[2] / waiting[1] >= _WAITING


def _waiting(step: PooledLoad) -> tuple[str, float, float] | None:
    """A percentile, its latency, and the same percentile of the time that requests wait.

    The furthest out of which both are known; None where there is none.
    """
    for name in ("p99", "p50"):
        whole, wait = step.value(TAILS[name]), step.value(f"load/queue_wait_{name}_s")
        if whole and wait is not None:
            return name, whole, wait
    return None


def _of_rate(curve: Curve, rate: float) -> Iterator[PooledLoad]:
    return (step for step in curve.steps if step.offered_per_s == rate)


def _lost(step: PooledLoad, at: str) -> Iterator[Limit]:
    shares = {said: step.value(name) or 0.0 for name, said in _LOST.items()}
    lost = [f"{percent(share)} {said}" for said, share in shares.items() if share > _ERRORS]
    if lost:
        yield Limit("errors", f"At {at}, of the requests were {' and '.join(lost)}.")


def _time(curve: Curve, step: PooledLoad, at: str) -> Iterator[Limit]:
    """Whether requests wait, and what for."""
    waiting = _waiting(step)
    if waiting is None:
        return
    name, whole, wait = waiting
    of = f"{'the median' if name == 'p50' else f'a {name}'} of {duration(whole)}"
    if wait / whole < _WAITING:
        said = f"At {at} about {duration(whole - wait)} of {of} is the call itself"
        yield Limit("call time", f"{said}: shorter calls are needed, more workers don't help.")
        return
    waits = f"At {at} requests wait {duration(wait)} of {of}"
    gpu = step.value("load/gpu_share")
    if gpu is not None and gpu >= _BUSY:
        yield Limit("accelerator", f"{waits}, and the GPU is busy {percent(gpu)} of the time.")
    else:
        yield _cores(curve, step, waits)


def _cores(curve: Curve, step: PooledLoad, waits: str) -> Limit:
    """Whether the cores have anything left to give while every worker works."""
    mean, working = step.value("load/cpu_share"), _working(step)
    if mean is None:
        return Limit("queue", f"{waits}; how busy the cores are is not known.")
    used = f"{percent(mean)} of the cores' time is used"
    if mean >= _BUSY:
        return Limit("cores", f"{waits}, and {used}.")
    if working is None:
        return Limit("queue", f"{waits}, and {used}.")
    workers = number((curve.point.config.get("serving") or {}).get("workers")) or 1
    full = mean * max(1.0, workers / working)
    while_working = f"{used}, about {percent(min(1.0, full))} while every worker works"
    if full >= _BUSY:
        return Limit("cores", f"{waits}, and {while_working}: shorter calls are needed.")
    return Limit("workers", f"{waits}, though {while_working}: more workers or threads may help.")


def _working(step: PooledLoad) -> float | None:
    """Calls that run at a time, on average; None where it can't be told.

    Little's law, with the medians of times in the place of their means.
    """
    whole, waited = step.value(P50), step.value("load/queue_wait_p50_s")
    served, together = step.value("load/served_per_s"), step.value("load/batch_mean") or 1.0
    if whole is None or waited is None or not served or whole <= waited:
        return None
    return served * (whole - waited) / max(1.0, together)


def _batches(curve: Curve, step: PooledLoad, at: str) -> Iterator[Limit]:
    """Whether batches are as large as they may be, or hardly form."""
    most = number((curve.point.config.get("serving") or {}).get("max_batch"))
    formed = step.value("load/batch_mean")
    if most is None or most <= 1 or formed is None:
        return
    made = f"At {at} a call has {plain(formed)} of at most {plain(most)} requests"
    if formed >= _FULL * most:
        yield Limit("batching", f"{made}: a larger serving.max_batch may hold more.")
    elif formed < _ALMOST_ONE:
        yield Limit("batching", f"{made}: batches hardly form, a longer wait may hold more.")
