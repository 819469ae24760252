"""What intervals are of, as the tag ``interval/of`` says: one process, or several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from asr_scaling.core.time_intervals import INTERVAL_OF, OF_ONE_ALONE, ONE, WIDENED

_UNKNOWN = (
    "; how much processes differ on this machine is not known: python -m asr_scaling selftest"
)


def interval_scope(points: Iterable[Mapping[str, str]]) -> str:
    """How sure figures of points with these tags are between processes, in a sentence or two.

    Empty where there is no point.
    """
    kinds, alone = dict[str, list[str]](), dict[str, None]()
    for tags in points:
        alone |= dict.fromkeys(_of_one_alone(tags))
        of, _, more = tags.get(INTERVAL_OF, ONE).partition("; ")  # older records: of one
        kinds.setdefault("one process" if of == ONE else of, []).append(more)
    if not kinds:
        return ""
    total, several = sum(map(len, kinds.values())), len(kinds) > 1
    parts = [
        f"{of} each{f' in {len(more)} of {total} points' if several else ''}{_known(more)}"
        for of, more in kinds.items()
    ]
    unknown = _UNKNOWN if "" in kinds.get("one process", ()) else ""
    names = ", ".join(alone)
    of_one = f" Those of {names} are of one process, widened by that spread." if alone else ""
    return f"Intervals are of {'; of '.join(parts)}{unknown}.{of_one}"


def measured_by_one(name: str, tags: Mapping[str, str]) -> bool:
    """Whether one of a record's several processes alone has measured the metric ``name``."""
    return name in _of_one_alone(tags)


def of_one_process(tags: Mapping[str, str]) -> bool:
    """Whether intervals say nothing of what differs between processes: of one, and not widened."""
    scope = tags.get(INTERVAL_OF, ONE)
    return scope.startswith(ONE) and WIDENED not in scope


def may_change(points: Iterable[Mapping[str, str]]) -> list[str]:
    """What stands beside figures that are compared, where some say nothing of other processes."""
    alone = [of_one_process(tags) for tags in points]
    if not any(alone):
        return []
    which = "Each point was" if all(alone) else f"{sum(alone)} of {len(alone)} points were"
    return [
        f"{which} timed by one process, and intervals don't cover what differs between processes: "
        "a lead of a few per cent may change when it is measured again (sweep.processes=3 tells)."
    ]


def _of_one_alone(tags: Mapping[str, str]) -> list[str]:
    return [name for name in tags.get(OF_ONE_ALONE, "").split(", ") if name]


def _known(details: Sequence[str]) -> str:
    """What the intervals hold of this machine's spread between processes, as the tags say it."""
    known = list(dict.fromkeys(filter(None, details)))
    if len(known) > 1:  # what is known of a machine grows from one sweep to the next
        return f", {known[0]} and others"
    return f", {known[0]}" if known else ""
