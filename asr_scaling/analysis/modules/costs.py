"""What each module of a cascade costs, as a point's record says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from asr_scaling.analysis.points import Point
from asr_scaling.core.cascade_facts import modules_in, order_in
from asr_scaling.core.module_use import BETWEEN, RECOGNITION
from asr_scaling.core.typed_json import number

_ON_CPU = "cpu"
_SHARE = "/wall_share"


@dataclass(frozen=True)
class ModuleCost:
    """One module of a cascade, means over the calls.

    name: its group, as "speaker", or "recognition".
    choice: what was chosen in that group, as "resemblyzer"; the engine for recognition.
    device: where it computes.
    movable: it could compute on an accelerator too.
    threads: of its own; None where it has those of its library.
    batch: how many windows, texts or segments it is given at once; None where it is not known.
    usual_batch: what its class would be given where nobody says anything; None for recognition.
    wall_share: share of the calls' time in which it works.
    cpu_share: share of the process's processor time; None where it is not known.
    cores: cores that it keeps busy over the calls; None where it is not known.
    wall_s, cpu_s, device_s, wait_s: seconds of a call; None where they are not known.
    calls, items: how often it is called in a call of the cascade, and on how many things.
    """

    name: str
    choice: str
    device: str
    movable: bool
    threads: int | None
    batch: int | None
    usual_batch: int | None
    wall_share: float
    cpu_share: float | None
    cores: float | None
    wall_s: float
    cpu_s: float | None
    device_s: float | None
    wait_s: float
    calls: float
    items: float

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on a processor."""
        return self.device == _ON_CPU


def is_cascade(point: Point) -> bool:
    """Whether its modules were measured."""
    return f"module/{RECOGNITION}{_SHARE}" in point.values


def costs(point: Point) -> tuple[ModuleCost, ...]:
    """Its modules, recognition first; empty for other systems."""
    if not is_cascade(point):
        return ()
    return tuple(_costs(point))


def rest(point: Point) -> float:
    """Share of the calls' time in which no module works."""
    return point.values.get(f"module/{BETWEEN}{_SHARE}", 0.0)


def overlapped(point: Point) -> bool:
    """Whether its modules work at once."""
    return bool(_order(point).get("overlap"))


def batching(point: Point) -> str:
    """How segments become batches of recognition, as "fixed"; empty where recordings aren't cut."""
    return str(_order(point).get("batching") or "")


def _order(point: Point) -> Mapping[str, Any]:
    return order_in(point.facts.get("details"))


def _costs(point: Point) -> Iterator[ModuleCost]:
    told = modules_in(point.facts.get("details")) or {}
    own = {"device": point.device, "name": point.engine, "batch": point.batch or None}
    for name, row in {RECOGNITION: own, **told}.items():
        if f"module/{name}{_SHARE}" in point.values:
            yield _cost(point, name, row)


def _cost(point: Point, name: str, row: Mapping[str, Any]) -> ModuleCost:
    def value(figure: str) -> float | None:
        return point.values.get(f"module/{name}/{figure}")

    return ModuleCost(
        name=name,
        choice=str(row.get("name", name)),
        device=str(row.get("device", _ON_CPU)),
        movable=bool(row.get("movable")),
        threads=_whole(row.get("threads")),
        batch=_whole(row.get("batch")),
        usual_batch=_whole(row.get("usual_batch")),
        wall_share=value("wall_share") or 0.0,
        cpu_share=value("cpu_share"),
        cores=value("cores"),
        wall_s=value("wall_s") or 0.0,
        cpu_s=value("cpu_s"),
        device_s=value("device_s"),
        wait_s=value("wait_s") or 0.0,
        calls=value("calls") or 0.0,
        items=value("items") or 0.0,
    )


def _whole(value: object) -> int | None:
    found = number(value)
    return None if found is None else int(found)
