"""Part 6 of a report: how its figures were taken, what qualifies them, and what is missing."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from asr_scaling.analysis.caveats import SYNTHETIC
from asr_scaling.analysis.format import duration, percent
from asr_scaling.analysis.interval_scope import interval_scope
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.usual_state import at_usual_state, changed_by_state
from asr_scaling.core.energy_methods import GUESSED, NOT_MEASURED
from asr_scaling.core.workload import with_copies
from asr_scaling.report import machine_state
from asr_scaling.report.cells import count, words
from asr_scaling.report.document import (
    Block,
    Bullets,
    Column,
    Row,
    Section,
    Table,
    Text,
    word_columns,
)
from asr_scaling.report.fields import Field, field_table, text
from asr_scaling.report.machines import machines_table, selftests
from asr_scaling.util.groups import grouped

_MOST_NAMED = 12
"""Systems or datasets that a sentence names."""
_FLOOR = "noise/latency_floor"
_METHOD = (
    "A call takes a batch of utterances from mono samples in the host's memory to text on the "
    "host, the device synchronised at its end; reading audio, making batches and loading the "
    "model are outside. After a warm-up, calls go round the batches until the median is known "
    "well enough or the time is up; what disturbs timing is measured in passes of its own. ± is "
    "the larger half of a 95 % interval: it covers what changed between calls, windows or "
    "utterances of this run, what differs between processes as far as the next list says so, and "
    "not other speech, other machines or other days. “–” is a figure that "
    "the data can't support. Each figure's definition, formula and source is in `docs/method.md`."
)
_ENDED = {
    "precision": "the median was known as well as pipeline.precision asks",
    "count": "pipeline.min_iterations calls were timed",
    "budget": "pipeline.max_seconds were spent first",
}
_UNKNOWN = "unavailable"
_NUMBER = re.compile(r"\d[\d.,]*")


def section(points: Sequence[Point]) -> Section:
    """How it was measured and on what, every caution, failure and missing figure."""
    if not points:
        return Section("method", "Method and warnings", (Text(_METHOD), Text("There is no point.")))
    blocks: list[Block] = [
        Text(_METHOD),
        machines_table(points),
        Bullets(
            (
                *selftests(points),
                *_between_processes(points),
                _noise(points),
                *_timing(points),
                _time(points),
            )
        ),
        *machine_state.blocks(points),
        *_cautions(points),
        *_failures(points),
        Text("What the figures can't be taken for:"),
        Bullets((_random(points), _estimated(points), _synthetic(points), _truncated(points))),
        *_missing(points),
    ]
    return Section("method", "Method and warnings", tuple(blocks))


def _between_processes(points: Sequence[Point]) -> list[str]:
    """What intervals are of, and which figures are at the machine's usual state."""
    scope = interval_scope(point.tags for point in points if point.intervals)
    lines = [f"**Intervals**{scope.removeprefix('Intervals')}"] if scope else []
    state = " ".join((*at_usual_state(points), *changed_by_state(points)))
    return lines + ([f"**Usual state**: {state}"] if state else [])


def _noise(points: Iterable[Point]) -> str:
    ok = [point for point in points if point.ok]
    floors = [(point.values[_FLOOR], point.name) for point in ok if _FLOOR in point.values]
    if not floors:
        why = "for none repeated a call on the same input often enough"
        return f"**Noise floor**: no point has one, {why}."
    (worst, name), middle = max(floors), statistics.median(floor for floor, _ in floors)
    without = f"; {_points(len(ok) - len(floors))} without" if len(floors) < len(ok) else ""
    return (
        "**Noise floor** (smallest difference of latency that is not noise, by an A/A test in each "
        f"point): median {percent(middle)}, worst {percent(worst)} ({name}){without}."
    )


def _timing(points: Iterable[Point]) -> list[str]:
    """How timed passes ended, warm-ups, and calls."""
    ok = [point for point in points if point.ok]
    calls = [point.calls for point in ok if point.calls]
    if not calls:
        return ["**Timed passes**: none ended."]
    ended = Counter(point.tags.get("timing/ended_by", "not recorded") for point in ok)
    reasons = [
        f"{_points(n)}: {', '.join(_ENDED.get(w, w) for w in how.split(', '))}"
        for how, n in ended.most_common()
    ]
    warm = Counter(point.tags.get("timing/warmup", "not recorded") for point in ok)
    warmups = ", ".join(f"{state} in {_points(n)}" for state, n in warm.most_common())
    most = f"{min(calls):,} to {max(calls):,} calls a point, median {statistics.median(calls):,g}"
    return [
        f"**Timed passes** ended because: {'; '.join(reasons)}. {most}.",
        f"**Warm-ups**: {warmups}.",
    ]


def _time(points: Sequence[Point]) -> str:
    spans = [(p.started_at, p.ended_at) for p in points if p.ended_at > p.started_at > 0]
    if not spans:
        return "**Time**: not recorded."
    total_s = math.fsum(end - start for start, end in spans)
    total = f"{total_s / 3600:.1f} h" if total_s >= 7200 else duration(total_s)
    starts, ends = zip(*spans, strict=True)
    when = f"between {_clock(min(starts))} and {_clock(max(ends))} UTC"
    return f"**Time**: {_points(len(spans))} in {total} of measuring, {when}."


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _cautions(points: Iterable[Point]) -> list[Block]:
    raised = [(c, number) for number, point in enumerate(points) for c in point.cautions]
    if not raised:
        return [Text("No caution was raised.")]
    kinds = grouped(raised, lambda case: case[0].kind)
    rows = []
    for kind, cases in sorted(kinds.items(), key=lambda item: (-_carriers(item[1]), item[0])):
        messages = Counter(caution.message for caution, _ in cases)
        more = f" (and {len(messages) - 1} more like it)" if len(messages) > 1 else ""
        seen, advice = messages.most_common(1)[0][0] + more, cases[0][0].advice
        rows.append(Row((words(kind), count(_carriers(cases)), words(seen), words(advice))))
    columns = (
        *word_columns("caution"),
        Column("points"),
        *word_columns("what was seen", "advice"),
    )
    return [Table("cautions", "Every caution, by its kind", columns, tuple(rows))]


def _carriers(cases: Iterable[tuple[object, int]]) -> int:
    """How many points the cases are of, by their numbers: names may be of several."""
    return len({number for _, number in cases})


def _failures(points: Iterable[Point]) -> list[Block]:
    failed = [point for point in points if not point.ok]
    if not failed:
        return [Text("Every point was measured to its end.")]
    fields: tuple[Field[Point], ...] = (
        text("point", lambda point: point.name),
        text("how", lambda point: point.status.replace("_", " ")),
        text("reason", lambda point: point.reason or "no reason was recorded"),
    )
    caption = "Points that were not measured to their end"
    return [field_table("failures", caption, fields, failed, keys=lambda point: point.keys)]


def _random(points: Sequence[Point]) -> str:
    systems = _each(point.system for point in points if point.random)
    holds = "Their speed, memory, energy and FLOPs hold; their texts mean nothing."
    return f"**Random weights**: {f'{systems}. {holds}' if systems else 'none.'}"


def _estimated(points: Sequence[Point]) -> str:
    methods = Counter(point.energy_method for point in points if "energy/method" in point.tags)
    if not methods:
        return "**Energy**: not looked at."
    line = ", ".join(f"{method} in {_points(n)}" for method, n in methods.most_common())
    parts = {
        f"{part}: {method}": None
        for point in points
        for part in ("cpu", "memory", "gpu")
        if not (method := point.tags.get(f"energy/method_{part}", _UNKNOWN)).startswith(_UNKNOWN)
    }
    how = f" ({'; '.join(parts)})" if parts else ""
    guessed = any(point.energy_method == GUESSED for point in points)
    caution = f" Estimated: {NOT_MEASURED}; nothing is ranked by them." if guessed else ""
    return f"**Energy**: {line}{how}.{caution}"


def _synthetic(points: Sequence[Point]) -> str:
    made = _each(point.dataset for point in points if point.synthetic)
    copied = {with_copies(point.utterances, point.copies) for point in points if point.copies}
    said = "".join(f" Of {speech}." for speech in sorted(copied))
    return f"**Synthetic speech**: {f'{made}.{said} {SYNTHETIC}' if made else 'none.'}"


def _truncated(points: Sequence[Point]) -> str:
    cut = [point for point in points if point.truncated]
    if not cut:
        return "**Truncated audio**: none; all audio that was given was processed."
    systems = _each(point.system for point in cut)
    return (
        f"**Truncated audio**: {_points(len(cut))} of {systems} left audio out; "
        "their latency is of less than given."
    )


def _missing(points: Iterable[Point]) -> list[Block]:
    """Why figures are missing; reasons that differ only in numbers are one, with an example."""
    missing = [
        (case, number) for number, point in enumerate(points) for case in point.unavailable.items()
    ]
    if not missing:
        return [Text("No figure that was asked for is missing.")]
    groups = grouped(missing, lambda item: _NUMBER.sub("#", item[0][1]))
    rows = []
    for cases in sorted(groups.values(), key=lambda cases: -_carriers(cases)):
        metrics = ", ".join(sorted({metric for (metric, _), _ in cases}))
        reasons = Counter(reason for (_, reason), _ in cases)
        more = " (with other numbers elsewhere)" if len(reasons) > 1 else ""
        example = reasons.most_common(1)[0][0] + more
        rows.append(Row((words(example), count(_carriers(cases)), words(metrics))))
    columns = (*word_columns("why"), Column("points"), *word_columns("figures that are missing"))
    return [Table("missing", "What is missing, by its reason", columns, tuple(rows))]


def _each(names: Iterable[str]) -> str:
    """Distinct names, the first dozen."""
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _MOST_NAMED
    return ", ".join(distinct[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _points(number: int) -> str:
    return f"{number:,} point{'' if number == 1 else 's'}"
