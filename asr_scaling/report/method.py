"""Part 6 of a report: what the figures were taken on and how, what qualifies them, and what is
missing.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from asr_scaling.analysis.caveats import SYNTHETIC
from asr_scaling.analysis.format import duration, percent
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import count, words
from asr_scaling.report.document import Block, Bullets, Column, Row, Section, Table, Text
from asr_scaling.report.machines import machines_table, selftests

_MOST_NAMED = 12
"""Systems or datasets that a sentence names."""
_FLOOR = "noise/latency_floor"
_METHOD = (
    "A call takes a batch of utterances from mono samples in the host's memory to text on the "
    "host, the device "
    "synchronised at its end; reading audio, making batches and loading the model are outside. "
    "After a warm-up, calls "
    "go round the batches until the median is known well enough or the time is up; what disturbs "
    "timing is measured in "
    "passes of its own. ± is the larger half of a 95 % interval: it covers what changed between "
    "calls, windows or "
    "utterances of this run, not other speech, other machines or other days. “–” is a figure that "
    "the data can't "
    "support. Each figure's definition, formula and source is in `docs/method.md`."
)
_ENDED = {
    "precision": "the median was known as well as pipeline.precision asks",
    "count": "pipeline.min_iterations calls were timed",
    "budget": "pipeline.max_seconds were spent first",
}
_NUMBER = re.compile(r"\d[\d.,]*")


def section(points: Sequence[Point]) -> Section:
    """How it was measured and on what, every caution, failure and missing figure."""
    if not points:
        return Section("method", "Method and warnings", (Text(_METHOD), Text("There is no point.")))
    blocks: list[Block] = [
        Text(_METHOD),
        machines_table(points),
        Bullets((*selftests(points), _noise(points), *_timing(points), _time(points))),
        *_cautions(points),
        *_failures(points),
        Text("What the figures can't be taken for:"),
        Bullets((_random(points), _estimated(points), _synthetic(points), _truncated(points))),
        *_missing(points),
    ]
    return Section("method", "Method and warnings", tuple(blocks))


def _noise(points: Iterable[Point]) -> str:
    ok = [point for point in points if point.ok]
    floors = [(point.values[_FLOOR], point.name) for point in ok if _FLOOR in point.values]
    if not floors:
        return (
            "**Noise floor**: no point has one, for none repeated a call on the same input "
            "often enough."
        )
    worst, name = max(floors)
    without = f"; {_points(len(ok) - len(floors))} without" if len(floors) < len(ok) else ""
    return (
        "**Noise floor** (smallest difference of latency that is not noise, by an A/A test in each "
        "point): median "
        f"{percent(statistics.median(floor for floor, _ in floors))}, worst {percent(worst)} "
        f"({name}){without}."
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
    total = math.fsum(end - start for start, end in spans)
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    when = f"between {_clock(first)} and {_clock(last)} UTC"
    return f"**Time**: {_points(len(spans))} in {_long(total)} of measuring, {when}."


def _long(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 7200 else duration(seconds)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _cautions(points: Iterable[Point]) -> list[Block]:
    said: dict[str, dict[str, list[int]]] = {}
    advice: dict[str, str] = {}
    for number, point in enumerate(points):
        for caution in point.cautions:
            said.setdefault(caution.kind, {}).setdefault(caution.message, []).append(number)
            advice.setdefault(caution.kind, caution.advice)
    if not said:
        return [Text("No caution was raised.")]
    rows = []
    for kind, messages in sorted(said.items(), key=lambda item: (-_carriers(item[1]), item[0])):
        often = max(messages, key=lambda message: len(messages[message]))
        more = f" (and {len(messages) - 1} more like it)" if len(messages) > 1 else ""
        rows.append(
            Row((words(kind), count(_carriers(messages)), words(often + more), words(advice[kind])))
        )
    columns = (
        Column("caution", numeric=False),
        Column("points"),
        Column("what was seen", numeric=False),
        Column("advice", numeric=False),
    )
    return [Table("cautions", "Every caution, by its kind", columns, tuple(rows))]


def _carriers(messages: Mapping[str, Sequence[int]]) -> int:
    """How many points have a caution, by their numbers: names may be of several."""
    return len({number for numbers in messages.values() for number in numbers})


def _failures(points: Iterable[Point]) -> list[Block]:
    failed = [point for point in points if not point.ok]
    if not failed:
        return [Text("Every point was measured to its end.")]
    columns = (
        Column("point", numeric=False),
        Column("how", numeric=False),
        Column("reason", numeric=False),
    )
    rows = tuple(
        Row(
            (
                words(p.name),
                words(p.status.replace("_", " ")),
                words(p.reason or "no reason was recorded"),
            ),
            p.keys,
        )
        for p in failed
    )
    return [Table("failures", "Points that were not measured to their end", columns, rows)]


def _random(points: Sequence[Point]) -> str:
    systems = _each(point.system for point in points if point.random)
    if not systems:
        return "**Random weights**: none."
    return (
        f"**Random weights**: {systems}. Their speed, memory, energy and FLOPs hold; "
        "their texts mean nothing."
    )


def _estimated(points: Sequence[Point]) -> str:
    methods = Counter(point.energy_method for point in points if "energy/method" in point.tags)
    if not methods:
        return "**Energy**: not looked at."
    said = ", ".join(f"{method} in {_points(n)}" for method, n in methods.most_common())
    known = {
        f"{part}: {point.tags[f'energy/method_{part}']}": None
        for point in points
        for part in ("cpu", "memory", "gpu")
        if not point.tags.get(f"energy/method_{part}", "unavailable").startswith("unavailable")
    }
    how = f" ({'; '.join(known)})" if known else ""
    caution = (
        " Estimates compare points of one machine at most."
        if any(point.estimated for point in points)
        else ""
    )
    return f"**Energy**: {said}{how}.{caution}"


def _synthetic(points: Sequence[Point]) -> str:
    made = _each(point.dataset for point in points if point.synthetic)
    if not made:
        return "**Synthetic speech**: none."
    return f"**Synthetic speech**: {made}. {SYNTHETIC}"


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
    found: dict[str, list[tuple[str, str, int]]] = {}
    for number, point in enumerate(points):
        for metric, reason in point.unavailable.items():
            found.setdefault(_NUMBER.sub("#", reason), []).append((metric, reason, number))
    if not found:
        return [Text("No figure that was asked for is missing.")]
    rows = []
    for cases in sorted(found.values(), key=lambda cases: -len({number for _, _, number in cases})):
        metrics = sorted({metric for metric, _, _ in cases})
        reasons = Counter(reason for _, reason, _ in cases)
        more = " (with other numbers elsewhere)" if len(reasons) > 1 else ""
        example = reasons.most_common(1)[0][0] + more
        carriers = len({number for _, _, number in cases})
        rows.append(Row((words(example), count(carriers), words(", ".join(metrics)))))
    columns = (
        Column("why", numeric=False),
        Column("points"),
        Column("figures that are missing", numeric=False),
    )
    return [Table("missing", "What is missing, by its reason", columns, tuple(rows))]


def _each(names: Iterable[str]) -> str:
    """Distinct names, the first dozen."""
    found = list(dict.fromkeys(names))
    more = len(found) - _MOST_NAMED
    return ", ".join(found[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _points(number: int) -> str:
    return f"{number:,} point{'' if number == 1 else 's'}"
