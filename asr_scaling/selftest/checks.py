"""One check of the self-test, and the status of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from asr_scaling.errors import AsrScalingError

Status = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Check:
    """The result of one check.

    name: of the check.
    status: "pass", "warn", "fail" or "skip" (not tested here).
    figure: the result as text.
    advice: what to do about it; empty for a pass.
    values: the result as numbers, in SI units or as shares.
    """

    name: str
    status: Status
    figure: str
    advice: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


def graded(value: float, warn: float, fail: float) -> Status:
    """Status of a figure that should be small: "pass" up to ``warn``, "fail" above ``fail``."""
    return "pass" if value <= warn else "warn" if value <= fail else "fail"


def overall(checks: Iterable[Check]) -> Status:
    """The worst status of the checks; skipped ones do not count."""
    statuses = {check.status for check in checks}
    return "fail" if "fail" in statuses else "warn" if "warn" in statuses else "pass"


def tried(name: str, check: Callable[[], Check]) -> Check:
    """The result of ``check``; when it raises, a failed check with the reason as its figure."""
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
