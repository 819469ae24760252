"""How much the time of a call differs between processes of one machine, as far as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from asr_scaling.core.typed_json import build

_KEY = "spread"
"""Where a record's ``environment`` has it."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the logarithm of a time: 0.03 is about 3 %.

    processes: between processes that follow one another, of times as they were.
    usual: the same of times at the machine's usual state; None where it is not known.
    freedom: degrees of freedom that both rest on; few say little.
    hours: between hours or days, beyond what differs between processes; None where not known.
    source: where this is known from, for people.
    minutes: between measurements minutes apart, beyond what processes of one measurement differ
        by, of times as they were; None where not known.
    usual_minutes: the same of times at the machine's usual state.
    minutes_freedom: degrees of freedom that both rest on.
    """

    processes: float
    usual: float | None = None
    freedom: float = 5.0
    hours: float | None = None
    source: str = ""
    minutes: float | None = None
    usual_minutes: float | None = None
    minutes_freedom: float = 2.0

    def to_json(self) -> dict[str, Any]:
        """What a record's ``environment`` has under "spread"."""
        return asdict(self)


ASSUMED = Spread(0.09, 0.04, 5.0, source="assumed: no self-test has measured it on this machine")
"""Where nothing is known: what processes of engine=transformers differed by on two shared cores."""


def spread_of(environment: Mapping[str, Any]) -> Spread:
    """What a record's ``environment`` says of its machine; ``ASSUMED`` where it says nothing."""
    stated = environment.get(_KEY)
    if not isinstance(stated, Mapping):
        return ASSUMED
    try:
        return build(Spread, stated)
    except TypeError:
        return ASSUMED


def of_certificate(certificate: Mapping[str, Any]) -> Spread | None:
    """What the self-test measured, by the summary that records have; None where it did not."""
    found = certificate.get("between_processes")
    if not isinstance(found, Mapping):
        return None
    at = str(found.get("at", certificate.get("at", "")))[:16].replace("T", " ")
    stated = {"processes": found.get("sd")}
    try:
        spread = build(Spread, {**stated, "freedom": found.get("freedom")})
    except TypeError:
        return None
    return replace(spread, source=f"self-test of {at} UTC")


def with_spread(environment: Mapping[str, Any], spread: Spread) -> dict[str, Any]:
    """``environment`` with what is known of the machine's spread."""
    return {**environment, _KEY: spread.to_json()}
