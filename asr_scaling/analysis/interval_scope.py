"""What intervals are of, as the tag ``interval/of`` says: one process, or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from asr_scaling.core.time_intervals import INTERVAL_OF, ONE, WIDENED

_UNTOLD = "one process each (measured before this was told apart)"


def interval_scope(points: Iterable[Mapping[str, str]]) -> str:
    """One sentence on the intervals of points with these tags: how sure figures are between
    processes.

    Empty where there is no point.
    """
    kinds = Counter(_kind(tags.get(INTERVAL_OF)) for tags in points)
    if not kinds:
        return ""
    (first, _), *others = kinds.most_common()
    if not others:
        return f"Intervals are of {first}{_unknown(first)}."
    total = kinds.total()
    parts = [f"{kind} in {count} of {total} points" for kind, count in kinds.most_common()]
    unknown = next(filter(None, map(_unknown, kinds)), "")
    return f"Intervals are of {'; of '.join(parts)}{unknown}."


def of_one_process(tags: Mapping[str, str]) -> bool:
    """Whether intervals say nothing of what differs between processes: of one, and not widened."""
    scope = tags.get(INTERVAL_OF)
    return scope is None or (scope.startswith(ONE) and WIDENED not in scope)


def _kind(scope: str | None) -> str:
    """The end of "intervals are of …"."""
    if scope is None:
        return _UNTOLD
    of, *more = scope.split("; ")
    of = "one process" if of == ONE else of
    return ", ".join((f"{of} each", *more))


def _unknown(kind: str) -> str:
    """What stands behind a kind of one process that was not widened."""
    if not kind.startswith("one process") or WIDENED in kind:
        return ""
    return (
        "; how much processes differ on this machine is not known: python -m asr_scaling selftest"
    )
