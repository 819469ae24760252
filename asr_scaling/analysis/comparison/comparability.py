"""What two records must have in common to be compared, and what else sets them apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from asr_scaling.analysis.looping import looping_records
from asr_scaling.analysis.system_names import NO_OPTION, leaves
from asr_scaling.core.record import RunRecord, choices
from asr_scaling.errors import ConfigError
from asr_scaling.machine.machine_kind import gpu_name, memory_class

KINDS = ("host", "machine", "dataset", "normaliser", "scope")
"""What may differ. "host": its name, and which of its GPUs; "machine": the kind."""
_OPTIONAL = ("GPU", "GPU id", "memory", "WER's", "texts' form")
_LONGEST = 40
_MOST = 8
"""Options that are named."""


def check_alike(a: RunRecord, b: RunRecord, allow: Collection[str] = ()) -> list[str]:
    """What differs although it should not, a line each: only what ``allow`` names.

    Raises ConfigError when one of them failed, or when something else differs.
    """
    for side, record in (("A", a), ("B", b)):
        if record.status != "ok":
            raise ConfigError(
                f"{side}'s point '{record.name}' can't be compared ({record.outcome}): measure it "
                "again."
            )
    differing = differences(a, b)
    refused = [kind for kind in differing if kind not in allow]
    if refused:
        reasons = " and ".join(f"{kind} ({differing[kind]})" for kind in refused)
        remedy = "measure both alike"
        if refused == ["normaliser"]:
            remedy = "score both alike with python -m asr_scaling rescore"
        raise ConfigError(
            f"'{a.name}' and '{b.name}' differ in {reasons}: {remedy}, or compare them "
            f"all the same with --allow {','.join(refused)}."
        )
    return [f"The {kind} differs: {how}." for kind, how in differing.items()]


def differences(a: RunRecord, b: RunRecord) -> dict[str, str]:
    """Kind → what differs, of all that makes two records' figures incomparable.

    What only one of them has, as a GPU, is no difference: cpu and cuda of one host compare.
    """
    differing = {}
    ours, theirs = _facts(a), _facts(b)
    if ours["dataset"]["digest"] == theirs["dataset"]["digest"] != "":
        ours["dataset"] = theirs["dataset"] = {}  # the same utterances, whatever they are called
    for kind in KINDS:
        pairs = [(name, value, theirs[kind][name]) for name, value in ours[kind].items()]
        changes = [
            f"{name} {_short(before)} and {_short(after)}"
            for name, before, after in pairs
            if before != after and not (name in _OPTIONAL and None in (before, after))
        ]
        if changes:
            differing[kind] = "what a latency covers" if kind == "scope" else ", ".join(changes)
    return differing


def _facts(record: RunRecord) -> dict[str, dict[str, Any]]:
    machine = record.environment
    device = machine.get("device", {})
    return {
        "host": {"name": machine.get("host"), "GPU id": device.get("uuid")},
        "machine": {
            "CPU": machine.get("cpu"),
            "cores": machine.get("cpu_cores"),
            "memory": memory_class(machine) or None,
            "GPU": gpu_name(machine),
        },
        "dataset": {
            "name": record.dataset.get("name"),
            "digest": str(record.dataset.get("digest") or "")[:16],
        },
        "normaliser": {
            "WER's": record.tags.get("quality/normaliser"),
            "texts' form": record.tags.get("quality/text_form"),
        },
        "scope": {"scope": record.scope},
    }


def other_notes(a: RunRecord, b: RunRecord) -> list[str]:
    """What may explain a change, or spoil it: options and versions that differ, and cautions."""
    lines = []
    if options := differing_options(a, b):
        lines.append(f"Options differ: {', '.join(options[:_MOST])}{_more(options)}.")
    ours, theirs = _versions(a), _versions(b)
    changes = [
        f"{name} {_short(ours.get(name))} → {_short(theirs.get(name))}"
        for name in dict.fromkeys((*ours, *theirs))
        if ours.get(name) != theirs.get(name)
    ]
    if changes:
        lines.append(f"Versions differ: {', '.join(changes)}.")
    limits = [(r.environment.get("device") or {}).get("power_limit_w") for r in (a, b)]
    if None not in limits and limits[0] != limits[1]:
        lines.append(f"The GPU's power limit differs: {limits[0]:g} W → {limits[1]:g} W.")
    for side, record in (("A", a), ("B", b)):
        kinds = dict.fromkeys(caution.kind for caution in record.cautions)
        if kinds:
            lines.append(f"Cautions of {side}: {', '.join(kinds)}; its record explains them.")
    return [*lines, *looping_records((a, b))]


def differing_options(a: RunRecord, b: RunRecord) -> list[str]:
    """The options in which two points differ, each with both values; where they went is none."""
    ours, theirs = map(_options, (a, b))
    return [
        f"{key} {_short(ours.get(key))} → {_short(theirs.get(key))}"
        for key in dict.fromkeys((*ours, *theirs))
        if ours.get(key) != theirs.get(key)
    ]


def _options(record: RunRecord) -> dict[str, Any]:
    """With how requests arrived and were served, where any did."""
    chosen = choices(record.config)
    load = {group: chosen.get(group) for group in ("serving", "scenario") if record.loads}
    options = {key: own for key, own in record.config.items() if key not in NO_OPTION}
    return {**load, **dict(leaves(options))}


def _more(options: Sequence[str]) -> str:
    return f" and {len(options) - _MOST} more" if len(options) > _MOST else ""


def _versions(record: RunRecord) -> Mapping[str, Any]:
    machine = record.environment
    versions = machine.get("versions", {})
    return {"python": machine.get("python"), **versions, "commit": machine.get("commit")}


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
