"""The machines of a report side by side, and what the self-test said of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asr_scaling.analysis.format import percent, size
from asr_scaling.analysis.points import Point
from asr_scaling.report.cells import missing, words
from asr_scaling.report.document import Cell, Row, Table, word_columns
from asr_scaling.util.groups import grouped

_RESULTS = {"pass": "passed", "warn": "passed with warnings", "fail": "failed"}


def machines(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Name of a machine → its points. Machines of one host name are told apart by number."""
    groups = grouped(points, lambda point: (str(point.environment.get("host", "")), point.machine))
    named: dict[str, list[Point]] = {}
    for (name, _), group in groups.items():
        host = name or "unknown host"
        same = sum(other == host or other.startswith(f"{host} #") for other in named)
        named[f"{host} #{same + 1}" if same else host] = group
    return named


def machines_table(points: Sequence[Point]) -> Table:
    """A column for each machine; what changed on one in the course of the sweep is listed."""
    sides = {name: _facts(group) for name, group in machines(points).items()}
    rows = tuple(
        Row((words(fact), *(_cell(side.get(fact, ())) for side in sides.values())))
        for fact in dict.fromkeys(fact for side in sides.values() for fact in side)
    )
    note = "Figures of different machines must not be compared as if of one."
    notes = (note,) if len(sides) > 1 else ()
    columns = word_columns("fact", *sides)
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
        lines += [_certificate(certificate, where) for certificate in certificates.values()]
        bare = sum(not point.environment.get("certificate") for point in group)
        if bare:
            count = f"{bare} of {len(group)} points" if bare < len(group) else "the points"
            lines.append(
                f"**Self-test**{where}: none before {count}; `python -m asr_scaling selftest` "
                "makes one."
            )
    return lines


def _certificate(certificate: Mapping[str, Any], where: str) -> str:
    status, floor = str(certificate.get("status", "unknown")), certificate.get("noise_floor")
    at = str(certificate.get("at", "an unknown time"))[:16].replace("T", " ")
    line = f"**Self-test**{where}: {_RESULTS.get(status, status)} at {at} UTC"
    if floor is not None:
        line += f"; noise floor of a matrix product {percent(float(floor))}"
    if status != "pass":
        line += "; `python -m asr_scaling selftest` says what and gives advice"
    return f"{line}."


def _facts(group: Sequence[Point]) -> dict[str, tuple[str, ...]]:
    """Fact → its distinct values among the points of a machine."""
    facts: dict[str, dict[str, None]] = {}
    # points share equal environments, so that those of thousands are read once
    for environment in {id(point.environment): point.environment for point in group}.values():
        for fact, value in _facts_of(environment).items():
            facts.setdefault(fact, {})[value] = None
    facts["points"] = {f"{len(group):,}": None}
    return {fact: tuple(values) for fact, values in facts.items()}


def _facts_of(machine: Mapping[str, Any]) -> dict[str, str]:
    device, versions = machine.get("device") or {}, machine.get("versions") or {}
    limit_w = device.get("power_limit_w")
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
        "GPU power limit": None if limit_w is None else f"{limit_w:g} W",
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
    return words("; ".join(values)) if values else missing("not recorded on this machine")
