"""How joules were obtained, as the tag ``energy/method`` says, and what may be done with them."""

from __future__ import annotations

from collections.abc import Mapping

METHOD = "energy/method"
MEASURED = "measured"
GIVEN = "estimated from given watts"
"""The machine's load between an idle and a busy power that the user gave."""
GUESSED = "estimated"
"""codecarbon's model: watts guessed from the processor's name and the size of the memory."""
UNKNOWN = "unknown"
NOT_MEASURED = (
    "power was not measured: these joules are seconds × guessed watts and hold nothing that the "
    "time does not"
)


def power_known(tags: Mapping[str, str]) -> bool:
    """Whether joules may be compared and ranked: power was measured, or watts were given."""
    return tags.get(METHOD, UNKNOWN) in (MEASURED, GIVEN)


def of_energy(metric: str) -> bool:
    """Whether a metric is in joules or watts."""
    return metric.startswith(("energy/", "load/energy_", "load/power_"))
