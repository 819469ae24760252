"""Lanes: when each module of a cascade worked in a call, and which core worked for it meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asr_scaling.analysis.points import Point
from asr_scaling.core.module_use import BETWEEN, PUNCTUATION, RECOGNITION, SPEAKER, VAD
from asr_scaling.core.typed_json import number
from asr_scaling.report.document import Figure
from asr_scaling.report.output.drawing import INK, PALE, PALETTE, FigureBuilder

_ORDER = (VAD, RECOGNITION, PUNCTUATION, SPEAKER)
COLOURS = {**dict(zip(_ORDER, PALETTE[:4], strict=True)), BETWEEN: PALE}
_MOST_CORES = 16
_LANE_IN, _FRAME_IN = 0.34, 1.1
_THICK = 0.72


def lanes_figure(point: Point, place: int) -> Figure | None:
    """The lanes of a point; None where its record has none. place: makes its name unique."""
    lanes = point.lanes or {}
    modules = [row for row in lanes.get("modules", ()) if _drawable(row)]
    cores = [row for row in lanes.get("cores", ()) if _drawable(row)]
    if not modules:
        return None
    rows = _rows(modules, cores, number(point.environment.get("cpu_cores")) or 0)
    builder = FigureBuilder(f"lanes-{place}", height=_FRAME_IN + _LANE_IN * len(rows))
    axes = builder.axes[0]
    for y, stretches in enumerate(rows.values()):
        for module, start_s, end_s in stretches:
            bar = axes.barh(
                y,
                end_s - start_s,
                _THICK,
                left=start_s,
                color=COLOURS.get(module, INK),
                linewidth=0,
            )
            builder.mark(list(bar), point.keys, f"{module}: {1000 * (end_s - start_s):.0f} ms")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    audio_s = number(lanes.get("audio_s")) or 0.0
    builder.titles(axes, f"seconds of the call, on {audio_s:.0f} s of audio", "")
    known = list(dict.fromkeys(module for row in rows.values() for module, _, _ in row))
    handles = [axes.barh(0, 0, color=COLOURS.get(name, INK), label=name) for name in known]
    axes.legend(
        handles=handles,
        fontsize=8,
        frameon=False,
        ncols=len(known),
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
    )
    said = ", ".join(f"{name} in {len(row)} stretches" for name, row in rows.items())
    caption = f"Who worked when in one call of {point.system}: modules on their devices, and cores"
    return builder.figure(caption, f"Lanes over a call: {said}.")


_Stretch = tuple[str, float, float]


def _rows(
    modules: Sequence[Mapping[str, Any]], cores: Sequence[Mapping[str, Any]], usable: float
) -> dict[str, list[_Stretch]]:
    """Name of a lane → module, start and end, in seconds, of what is drawn in it.

    usable: cores of the machine; those that did nothing have a lane too, where they aren't many.
    """
    rows: dict[str, list[_Stretch]] = {}
    for row in sorted(modules, key=lambda row: _place(str(row["module"]))):
        lane = f"{row['module']} on {row.get('device', 'cpu')}"
        rows.setdefault(lane, []).append(_stretch(row))
    for core in range(int(usable) if cores and usable <= _MOST_CORES else 0):
        rows.setdefault(f"core {core}", [])
    for row in sorted(cores, key=lambda row: int(row.get("core", 0))):
        rows.setdefault(f"core {int(row.get('core', 0))}", []).append(_stretch(row))
    return rows


def _stretch(row: Mapping[str, Any]) -> _Stretch:
    return str(row["module"]), float(row["start_s"]), float(row["end_s"])


def _place(module: str) -> int:
    return _ORDER.index(module) if module in _ORDER else len(_ORDER)


def _drawable(row: object) -> bool:
    """Whether it is a stretch with numbers: a record may have been written by anybody."""
    if not isinstance(row, Mapping):
        return False
    times = [number(row.get(key)) for key in ("start_s", "end_s")]
    return isinstance(row.get("module"), str) and None not in times
