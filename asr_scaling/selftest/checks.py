"""One check of the self-test, and the status of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from asr_scaling.errors import AsrScalingError

Status = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    ``figure``: what came out, for people; ``values``: the same as numbers, in SI units or as shares.
    ``advice``: what to do about it, empty for a pass.
    """

    name: str
    status: Status
    figure: str
    advice: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


def graded(value: float, warn: float, fail: float) -> Status:
    """A figure that should be small: pass up to ``warn``, fail above ``fail``."""
    return "pass" if value <= warn else "warn" if value <= fail else "fail"


def overall(checks: Iterable[Check]) -> Status:
    """The worst of the checks; what was skipped does not count."""
    found = {check.status for check in checks}
    return "fail" if "fail" in found else "warn" if "warn" in found else "pass"


def tried(name: str, check: Callable[[], Check]) -> Check:
    """What ``check`` found; one that raises has failed, and its reason is the figure."""
    try:
        return check()
    except AsrScalingError as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    advice = (
        "This part of the installation does not work: reinstall it, or report the reason as a bug."
    )
    return Check(name, "fail", " ".join(reason.split()), advice)
