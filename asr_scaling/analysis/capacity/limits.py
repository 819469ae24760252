"""What keeps a system from holding more requests, as its loads show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asr_scaling.analysis.capacity.curves import P50, P99, Curve
from asr_scaling.analysis.capacity.holding import bound_of
from asr_scaling.analysis.format import duration, percent, plain
from asr_scaling.core.pooled_loads import PooledLoad

_WAITING = 0.5
"""Share of a latency that is waiting from which waiting is what breaks the bound."""
_BUSY = 0.85
"""Share of its time from which a core or an accelerator has nothing left to give."""
_FULL, _ALMOST_ONE = 0.9, 1.5
"""Of ``serving.max_batch`` what makes batches full; requests in a call that make them none."""
_AS_GOOD = 0.8
"""Share of the capacity from which a load shows what limits it."""
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
    if rate is None and not (curve.closed or _behind(step) or _near(curve, step)):
        kept = "broke the bound" if curve.bound else "shows one"
        yield Limit("not reached", f"No load {kept}, up to {at}.")
        return
    yield from _lost(step, at)
    yield from _time(curve, step, at)
    yield from _batches(curve, step, at)


def _near(curve: Curve, step: PooledLoad) -> bool:
    """Whether a load is as good as one at the capacity, which a search may tell without any
    beyond it."""
    known = curve.capacity
    return known is not None and (step.offered_per_s or 0.0) >= _AS_GOOD * known[0]


def _behind(step: PooledLoad) -> bool:
    """Whether requests wait more than they are worked on, where no bound was asked for."""
    waiting = _waiting(step)
    return step.verdict == "unasked" and waiting is not None and waiting[2] / waiting[1] >= _WAITING


def _waiting(step: PooledLoad) -> tuple[str, float, float] | None:
    """A p99 in words, its seconds, and those of the same percentile of the time that requests wait.

    None where too few requests bound it.
    """
    whole, wait = step.value(P99), step.value("load/queue_wait_p99_s")
    return (f"a p99 of {duration(whole)}", whole, wait) if whole and wait is not None else None


def _of_the_bound(curve: Curve, step: PooledLoad) -> tuple[str, float, float] | None:
    """The bound on latency in the place of a p99, and what a usual call leaves of it to waiting.

    None where no latency is bounded, or where the call takes an unknown time.
    """
    bound = bound_of(curve.bound) if curve.bound else None
    whole, waited = step.value(P50), step.value("load/queue_wait_p50_s")
    if bound is None or bound.hardest is None or whole is None or waited is None:
        return None
    most = bound.hardest.limit_s
    return f"the {duration(most)} that are allowed", most, max(0.0, most - (whole - waited))


def _of_rate(curve: Curve, rate: float) -> Iterator[PooledLoad]:
    return (step for step in curve.steps if step.offered_per_s == rate)


def _lost(step: PooledLoad, at: str) -> Iterator[Limit]:
    shares = {said: step.value(name) or 0.0 for name, said in _LOST.items()}
    lost = [f"{percent(share)} {said}" for said, share in shares.items() if share > _ERRORS]
    if lost:
        yield Limit("errors", f"At {at}, of the requests were {' and '.join(lost)}.")


def _time(curve: Curve, step: PooledLoad, at: str) -> Iterator[Limit]:
    """Whether requests wait, and what for."""
    waiting = _waiting(step) or _of_the_bound(curve, step)
    if waiting is None:
        return
    of, whole, wait = waiting
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
    workers = curve.serving("workers") or 1
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
    most = curve.serving("max_batch")
    formed = step.value("load/batch_mean")
    if most is None or most <= 1 or formed is None:
        return
    made = f"At {at} a call has {plain(formed)} of at most {plain(most)} requests"
    if formed >= _FULL * most:
        yield Limit("batching", f"{made}: a larger serving.max_batch may hold more.")
    elif formed < _ALMOST_ONE:
        yield Limit("batching", f"{made}: batches hardly form, a longer wait may hold more.")
