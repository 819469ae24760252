"""The machines of a report side by side, and what the self-test said of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asr_scaling.analysis.format import MISSING, percent, size
from asr_scaling.analysis.points import Point
from asr_scaling.report.document import Cell, Column, Row, Table

_SAID = {"pass": "passed", "warn": "passed with warnings", "fail": "failed"}


def machines(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Name of a machine → its points. Machines of one host name are told apart by number."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((str(point.environment.get("host", "")), point.machine), []).append(point)
    found: dict[str, list[Point]] = {}
    for key, group in groups.items():
        host = key[0] or "unknown host"
        same = sum(name == host or name.startswith(f"{host} #") for name in found)
        found[f"{host} #{same + 1}" if same else host] = group
    return found


def machines_table(points: Sequence[Point]) -> Table:
    """A column for each machine; what changed on one in the course of the sweep is listed."""
    found = machines(points)
    sides = {name: _facts(group) for name, group in found.items()}
    rows = tuple(
        Row((Cell(fact, fact), *(_cell(side.get(fact, ())) for side in sides.values())))
        for fact in dict.fromkeys(fact for side in sides.values() for fact in side)
    )
    notes = (
        ("Figures of different machines must not be compared as if of one.",)
        if len(found) > 1
        else ()
    )
    columns = (Column("fact", numeric=False), *(Column(name, numeric=False) for name in found))
    return Table("environment", "What it was measured on", columns, rows, notes)


def selftests(points: Sequence[Point]) -> list[str]:
    """A sentence for each certificate and each machine without one."""
    lines = []
    for name, group in machines(points).items():
        certificates = {
            str(c.get("at")): c
            for p in group
            if isinstance(c := p.environment.get("certificate"), Mapping)
        }
        where = f" on {name}"
        lines += [_certificate(found, where) for found in certificates.values()]
        bare = sum(1 for point in group if not point.environment.get("certificate"))
        if bare:
            count = f"{bare} of {len(group)} points" if bare < len(group) else "the points"
            lines.append(
                f"**Self-test**{where}: none before {count}; `python -m asr_scaling selftest` "
                "makes one."
            )
    return lines


def _certificate(found: Mapping[str, Any], where: str) -> str:
    status, at = str(found.get("status", "unknown")), str(found.get("at", "an unknown time"))
    floor = found.get("noise_floor")
    noise = (
        f"; noise floor of a matrix product {percent(float(floor))}" if floor is not None else ""
    )
    again = (
        "" if status == "pass" else "; `python -m asr_scaling selftest` says what and gives advice"
    )
    return f"**Self-test**{where}: {_SAID.get(status, status)} at {at[:16].replace('T', ' ')} UTC{noise}{again}."


def _facts(group: Sequence[Point]) -> dict[str, tuple[str, ...]]:
    """Fact → its distinct values among the points of a machine."""
    found: dict[str, dict[str, None]] = {}
    seen: set[int] = set()
    for point in group:
        if (
            id(point.environment) not in seen
        ):  # points share what is equal, so that thousands are read once
            seen.add(id(point.environment))
            for fact, value in _facts_of(point.environment).items():
                found.setdefault(fact, {})[value] = None
    found["points"] = {f"{len(group):,}": None}
    return {fact: tuple(values) for fact, values in found.items()}


def _facts_of(machine: Mapping[str, Any]) -> dict[str, str]:
    device, versions = machine.get("device") or {}, machine.get("versions") or {}
    facts = {
        "host": machine.get("host"),
        "CPU": machine.get("cpu"),
        "cores": machine.get("cpu_cores"),
        "memory": _size(machine.get("memory_bytes")),
        "threads": device.get("threads"),
        "GPU": device.get("gpu"),
        "GPU UUID": device.get("uuid"),
        "GPU number": device.get("nvml_index"),
        "GPU memory": _size(device.get("memory_bytes")),
        "CUDA": device.get("cuda"),
        "TF32": device.get("tf32"),
        "operating system": machine.get("os"),
        "Python": machine.get("python"),
        **versions,
        "commit": machine.get("commit"),
    }
    return {fact: str(value) for fact, value in facts.items() if value is not None}


def _size(count: Any) -> str | None:
    return size(float(count)) if isinstance(count, (int, float)) else None


def _cell(values: Sequence[str]) -> Cell:
    return (
        Cell("; ".join(values), "; ".join(values))
        if values
        else Cell(MISSING, None, "not recorded on this machine")
    )
