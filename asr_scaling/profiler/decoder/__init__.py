"""The decoder step by step: its time, its cache, and its cost without a cache."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from asr_scaling.core.call_summary import NO_STEPS
from asr_scaling.core.metric import Metric
from asr_scaling.core.ports import Engine, NullProbe, Phase, Session, option_of
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import AudioBatch
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.machine.memory import release_memory
from asr_scaling.profiler._figures import Figures, findings_of, nothing_of
from asr_scaling.profiler._operators import (
    CLASSES,
    NO_OPERATORS,
    class_seconds,
    operator_rows,
    profiler_of,
    write_csv,
)
from asr_scaling.profiler.decoder.kv_cache import kv_cache
from asr_scaling.profiler.decoder.steps import Steps, TracingProbe, mean_step, slope, steps_of

_STEP, _SLOPE = "decoder/step_s", "decoder/step_slope_s"
_OUTSIDE, _PROFILED = "decoder/ops_outside_s", "decoder/profiled_step_s"
_OPS = (*(f"decoder/ops_{name}_s" for name in (*CLASSES, "other")), _OUTSIDE, _PROFILED)
_KV = ("decoder/kv_token_bytes", "decoder/kv_self_bytes", "decoder/kv_cross_bytes")
_UNCACHED = ("decoder/uncached_step_s", "decoder/uncached_slope_s", "decoder/uncached_ratio")
_ALL = (_STEP, _SLOPE, *_OPS, *_KV, *_UNCACHED)
_FEWEST = 3
"""Calls by position, at least: so many bound a slope."""


@dataclass(frozen=True)
class Decoder:
    """Options of the measurement.

    ``seconds``: of calls in the pass by position, at least three calls, and again without a cache.
    ``traced_steps``: most steps under torch.profiler.

    The pass by position only marks steps, as the timed pass does. The profiler slows steps down;
    compare ``decoder/profiled_step_s`` with ``decoder/step_s``. The pass without a cache loads the
    model a second time.
    """

    seconds: float = 5.0
    traced_steps: int = 16
    name: str = field(default="decoder", init=False)
    phase: Phase = field(default="disturbing", init=False)

    def __post_init__(self) -> None:
        if not self.seconds > 0 or self.traced_steps < 1:
            raise ConfigError(
                "profiler.decoder.seconds must be more than 0, "
                "profiler.decoder.traced_steps at least 1."
            )

    def measure(self, session: Session) -> Findings:
        """All of it; what this model or engine hasn't is unavailable, with the reason."""
        if session.model.tokens_per_s is None:
            return nothing_of(_ALL, NO_STEPS)
        calls = self._by_position(session)
        if not any(call.runs for call in calls):
            return nothing_of(_ALL, "the engine shows no decoding steps after the first")
        figures: Figures = {_STEP: mean_step(_STEP, calls), _SLOPE: slope(_SLOPE, calls)}
        ops, frames = self._by_operator(session)
        longest = 1 + max(len(run) for call in calls for run in call.runs)
        kv, lengths, tags = _kv(session, longest, frames)
        without, uncached = self._uncached(session)
        measured = [*((_cache(session), call) for call in calls), *uncached]
        steps = [
            row
            for n, (cache, call) in enumerate(measured)
            for row in call.rows(cache=cache, call=n)
        ]
        tables = {"decoder_steps.csv": steps} | ({"kv_cache.csv": lengths} if lengths else {})
        for name, rows in tables.items():
            write_csv(session.folder / name, list(rows[0]), rows)
        return findings_of(figures | ops | kv | without, tags=tags, artifacts=tuple(tables))

    def _by_position(self, session: Session) -> list[Steps]:
        """Batches in turn."""
        calls: list[Steps] = []
        start = time.perf_counter()
        while len(calls) < _FEWEST or time.perf_counter() - start < self.seconds:
            batch = session.batches[len(calls) % len(session.batches)]
            calls.append(steps_of(batch, session.device, session.transcribe))
        return calls

    def _by_operator(self, session: Session) -> tuple[Figures, int | None]:
        """Seconds of a step by class of operator, in one call.

        The second value is the number of frames of the encoder's output, None when it isn't shown.
        """
        modules = session.system.modules
        if not modules:
            return dict.fromkeys(_OPS, NO_OPERATORS), None
        probe = TracingProbe(profiler_of(session.device), session.device, self.traced_steps)
        frames: list[int] = []
        hook = modules["encoder"].register_forward_hook(
            lambda *call: frames.append(_frames(call[-1]))
        )
        try:
            session.transcribe(session.batches[0], probe)
        finally:
            hook.remove()
            probe.stop()
        seen = frames[0] if frames else None
        if not (steps := len(probe.marks) - 1) > 0:
            return dict.fromkeys(_OPS, "the first batch took no step after the first"), seen
        step_s = session.device.seconds(probe.marks)[-1] / steps
        rows = operator_rows(probe.profiler.key_averages(), session.device.kind == "cuda")
        seconds = [total / steps for total in class_seconds(rows).values()]
        outside_s = step_s - sum(seconds)
        figures: Figures = {
            name: Metric(name, value, steps)
            for name, value in zip(_OPS, (*seconds, outside_s, step_s), strict=True)
            if value >= 0
        }
        return {_OUTSIDE: "operators ran side by side"} | figures, seen

    def _uncached(self, session: Session) -> tuple[Figures, list[tuple[str, Steps]]]:
        """The shortest, the middle and the longest utterance, with and without a cache.

        Each is alone in its batch; it ends when ``seconds`` are over.
        """
        engine = _without_cache(session)
        if isinstance(engine, str):
            return dict.fromkeys(_UNCACHED, engine), []
        by_length = sorted(session.workload.utterances, key=lambda u: u.duration_s)
        chosen = {by_length[i].id: by_length[i] for i in (0, len(by_length) // 2, -1)}
        batches = [AudioBatch((utterance,)) for utterance in chosen.values()]
        kept, left_out = list[Steps](), list[Steps]()
        try:
            engine.check(session.model)
            system = engine.load(session.model, session.device)
            try:
                system.transcribe(batches[0], NullProbe())  # the first call of a system is slower
                start = time.perf_counter()
                for batch in batches:
                    if left_out and time.perf_counter() - start > self.seconds:
                        break
                    kept.append(steps_of(batch, session.device, session.transcribe))
                    left_out.append(steps_of(batch, session.device, system.transcribe))
            finally:
                system.close()
                del system
                release_memory()
        except AsrScalingError as error:
            return dict.fromkeys(_UNCACHED, str(error)), []
        rows = [*((_cache(session), call) for call in kept), *(("none", call) for call in left_out)]
        return _cost(kept, left_out), rows


def _frames(output: Any) -> int:
    """Frames of an encoder's output ``[utterances, frames, width]``, alone or first of several."""
    return int((output if hasattr(output, "shape") else output[0]).shape[1])


def _kv(
    session: Session, decoded: int, frames: int | None
) -> tuple[Figures, list[dict[str, Any]], dict[str, str]]:
    """Bytes of the cache of one utterance: per token, of all tokens, of the encoder's output.

    KvCache has the formula.
    """
    cache = kv_cache(session.model, session.system.facts.dtype, session.system.modules.get("model"))
    if _cache(session) == "none":
        cache = "engine.cache=none keeps no keys and values"
    if isinstance(cache, str):
        return dict.fromkeys(_KV, cache), [], {}
    whole = frames is None
    if whole and option_of(session.engine, "window_margin_s") is None:
        frames = cache.frames  # of a shortened window only the encoder's output tells
    cross = None if frames is None else cache.token_bytes * frames
    token, own, other = _KV
    figures: Figures = {
        token: Metric(token, cache.token_bytes),
        own: Metric(own, cache.token_bytes * decoded),
        other: "the engine doesn't show its encoder's output",
    }
    if cross is not None:
        figures[other] = Metric(other, cross)
    rows = [
        {"tokens": n, "self_bytes": cache.token_bytes * n, "cross_bytes": cross}
        for n in cache.lengths(decoded)
    ]
    tags = {"decoder/kv": "by the architecture's formula, for one utterance"}
    if _cache(session) == "static":
        tags["decoder/kv"] += "; the static cache takes what its longest text would from the start"
    if frames is not None:
        seen = f"{frames} frames, as the encoder gave them for the first batch"
        tags["decoder/kv_cross"] = "the model's whole window" if whole else seen
    return figures, rows, tags


def _cache(session: Session) -> str:
    """The engine's option ``cache``, "as it is" when it has none."""
    return str(option_of(session.engine, "cache") or "as it is")


def _without_cache(session: Session) -> Engine | str:
    """The session's engine without a cache, or why there is none."""
    engine: Any = session.engine
    if engine is None:
        return "the session does not hold its engine"
    if (cache := option_of(engine, "cache")) is None:
        return "the engine can't leave its cache out"
    if cache == "none":
        return "engine.cache=none is what was measured"
    if session.system.facts.compile_s is not None:
        return "the steps without a cache would have to be compiled too"
    try:
        without: Engine = replace(engine, cache="none")
    except ConfigError as error:
        return str(error)
    return without


def _cost(kept: Sequence[Steps], left_out: Sequence[Steps]) -> Figures:
    """Without a cache: a step's time, its growth, and its ratio to the same steps with one."""
    step, growth, ratio = _UNCACHED
    if not any(call.runs for call in left_out):
        return dict.fromkeys(_UNCACHED, "no call without a cache took two steps")
    pairs = [
        (a, b)
        for one, other in zip(kept, left_out, strict=True)
        for run, without in zip(one.runs, other.runs, strict=False)
        for a, b in zip(run, without, strict=False)
    ]
    share: Metric | str = "no step was taken both with and without a cache"
    if pairs:
        share = Metric(ratio, sum(b for _, b in pairs) / sum(a for a, _ in pairs), len(pairs))
    return {step: mean_step(step, left_out), growth: slope(growth, left_out), ratio: share}
