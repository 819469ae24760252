"""From windows of energy to metrics with their method.

Nothing unknown becomes a 0: it is unavailable, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.energy_methods import GIVEN, GUESSED, MEASURED, METHOD, NOT_MEASURED
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import Findings
from asr_scaling.core.statistics import mean_interval, ratio_interval
from asr_scaling.profiler._figures import Figures, findings_of

COMPONENTS = ("cpu", "memory", "gpu")
_GROSS = ("energy/per_sample_j", "energy/per_audio_second_j")
_NET = ("energy/net_per_sample_j", "energy/net_per_audio_second_j")
_IDLE = "energy/idle_power_w"
_TOO_FEW = "fewer than 3 windows can't tell it from 0: raise profiler.energy.max_seconds"
_TOTALS = ("energy/total_j", "energy/power_w", *_GROSS, _IDLE, *_NET)


@dataclass(frozen=True)
class Window:
    """What the meters counted between two readings.

    ``seconds``: from one reading to the next.
    ``joules``: component → joules.
    ``samples``, ``audio_s``: utterances and seconds of audio transcribed meanwhile.
    """

    seconds: float
    joules: Mapping[str, float]
    samples: int = 0
    audio_s: float = 0.0

    def of(self, parts: Sequence[str]) -> float:
        """Joules of ``parts``."""
        return math.fsum(self.joules[part] for part in parts)


@dataclass
class Readings:
    """Everything a watch knows.

    ``uses``: the component that computes.
    ``windows``: of the timed calls.
    ``idle``: of the idle machine, None when it was not measured.
    ``methods``: component → "measured by …" or "estimated …".
    ``unknown``: component → why it has neither.
    ``uncounted``: component → why it has no counter.
    ``period_s``: from one tick of the slowest counter to the next, None without a counter.
    ``failed``: why reading broke off.
    """

    uses: str
    methods: Mapping[str, str]
    unknown: Mapping[str, str]
    uncounted: Mapping[str, str]
    period_s: float | None
    windows: list[Window] = field(default_factory=list)
    idle: Window | None = None
    failed: str = ""

    def known(self) -> tuple[dict[str, str], dict[str, str]]:
        """Methods of the components that counted in every window, and reasons of the others."""
        methods = {part: self.methods[part] for part in COMPONENTS if part in self.methods}
        unknown = dict(self.unknown)
        for part in self.methods:
            why = self.failed or ("" if self.windows else "no window was completed")
            if not why and min(window.joules[part] for window in self.windows) <= 0:
                why = "its meter counted nothing in a window"
            if why:
                unknown[part] = why
                del methods[part]
        return methods, unknown


def account(readings: Readings, ticks: int) -> Findings:
    """Metrics, tags and cautions.

    ``ticks``: ticks of the slowest counter in a window, at least; one of them bounds its
    resolution.
    """
    windows, n = readings.windows, len(readings.windows)
    methods, unknown = readings.known()
    tags = {
        f"energy/method_{part}": methods.get(part) or f"unavailable: {unknown[part]}"
        for part in COMPONENTS
    }
    figures: Figures = {f"energy/{part}_j": why for part, why in unknown.items()}
    for part in methods:
        total = math.fsum(window.joules[part] for window in windows)
        figures[f"energy/{part}_j"] = Metric(f"energy/{part}_j", total, n)
    if readings.uses not in methods:
        why = f"the {readings.uses} computes, and its energy is unknown: {unknown[readings.uses]}"
        figures |= dict.fromkeys(_TOTALS, why)
        return findings_of(figures, tags=tags | {METHOD: "unavailable"})
    method, parts = counted(methods, readings.uses)
    joules = [window.of(parts) for window in windows]
    if readings.period_s:
        fewest = min(window.seconds for window in windows) / readings.period_s
        figures["energy/ticks"] = Metric("energy/ticks", math.floor(fewest + 1e-6), n)
    figures |= {metric.name: metric for metric in _gross(windows, joules)}
    figures |= _net(readings.idle, parts, windows, ticks)
    if method == GUESSED:
        figures = _without_intervals(figures)
    power = figures["energy/power_w"]
    known_w = power.value if isinstance(power, Metric) else None
    return findings_of(
        figures,
        cautions=() if known_w is None else reservations(readings, methods, known_w),
        tags=tags | {METHOD: method},
        repeats={} if method == GUESSED else _by_window(windows, joules),
    )


def _without_intervals(figures: Figures) -> Figures:
    """The figures of guessed power.

    The spread of their windows says nothing of the guess, and above an idle machine nothing is
    known.
    """
    bare: Figures = {
        name: replace(figure, interval=None) if isinstance(figure, Metric) else figure
        for name, figure in figures.items()
    }
    return bare | dict.fromkeys((_IDLE, *_NET), NOT_MEASURED)


def counted(methods: Mapping[str, str], uses: str) -> tuple[str, list[str]]:
    """How the total is known, and the components in it.

    methods: component → how its joules are known.
    uses: the component that computes, one of them.
    """
    measured = [part for part in methods if methods[part].startswith("measured")]
    given = [part for part in methods if methods[part].startswith(GIVEN)]
    method = MEASURED if uses in measured else GIVEN if given else GUESSED
    return method, {MEASURED: measured, GIVEN: given}.get(method, list(methods))


def reservations(
    readings: Readings, methods: Mapping[str, str], watts: float
) -> tuple[Caution, ...]:
    """What must stand beside joules that no counter measured.

    methods: component → how its joules are known.
    watts: the power that they mean.
    """
    method, parts = counted(methods, readings.uses)
    if method == MEASURED:
        return ()
    how = [f"{part} {methods[part].removeprefix('estimated ')}" for part in parts]
    if method == GIVEN:
        return (caution("GivenWatts", parts="; ".join(how)),)
    why = [f"{told} ({readings.uncounted[part]})" for told, part in zip(how, parts, strict=True)]
    return (caution("EstimatedEnergy", watts=watts, parts="; ".join(why)),)


def _by_window(windows: Sequence[Window], joules: Sequence[float]) -> dict[str, tuple[float, ...]]:
    """All that was drawn per utterance and per second of audio, one value a window."""
    return {
        name: tuple(j / done for j, done in zip(joules, work, strict=True))
        for name, work in zip(_GROSS, _work(windows), strict=True)
    }


def _work(windows: Sequence[Window]) -> tuple[list[float], list[float]]:
    """Utterances and seconds of audio, per window."""
    return [float(window.samples) for window in windows], [window.audio_s for window in windows]


def _ratio(name: str, numerators: Sequence[float], denominators: Sequence[float]) -> Metric:
    value = math.fsum(numerators) / math.fsum(denominators)
    return Metric(name, value, len(numerators), ratio_interval(numerators, denominators))


def _gross(windows: Sequence[Window], joules: Sequence[float]) -> list[Metric]:
    """All that was drawn, what the idle machine draws included."""
    seconds, n = [window.seconds for window in windows], len(windows)
    return [
        Metric("energy/windows", n),
        Metric("energy/window_s", math.fsum(seconds) / n, n, mean_interval(seconds)),
        Metric("energy/total_j", math.fsum(joules), n),
        _ratio("energy/power_w", joules, seconds),
        *(_ratio(name, joules, work) for name, work in zip(_GROSS, _work(windows), strict=True)),
    ]


def _net(
    idle: Window | None, parts: Sequence[str], windows: Sequence[Window], ticks: int
) -> Figures:
    """Joules above what the idle machine draws in the same time, when they can be told from 0.

    They can when the interval's lower end exceeds a window's resolution, which is one tick in
    ``ticks`` of the gross joules. The interval holds the spread of the windows, not the error of
    the one idle reading.
    """
    if idle is None:
        why = "the idle machine was not measured: set profiler.energy.idle_seconds"
        return dict.fromkeys((_IDLE, *_NET), why)
    if min(idle.joules[part] for part in parts) <= 0:
        return dict.fromkeys((_IDLE, *_NET), "a meter counted nothing on the idle machine")
    idle_w = idle.of(parts) / idle.seconds
    figures: Figures = {_IDLE: Metric(_IDLE, idle_w, 1)}
    gross = math.fsum(window.of(parts) for window in windows)
    busy_w = gross / math.fsum(window.seconds for window in windows)
    above = [window.of(parts) - idle_w * window.seconds for window in windows]
    for name, work in zip(_NET, _work(windows), strict=True):
        figures[name] = metric = _ratio(name, above, work)
        if metric.interval is None:
            figures[name] = _TOO_FEW
        elif metric.interval.low <= gross / math.fsum(work) / ticks:
            figures[name] = (
                f"it can't be told from 0: {idle_w:.4g} W idle, {busy_w:.4g} W under load"
            )
    return figures
