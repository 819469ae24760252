"""What the package says when it refuses something."""

from __future__ import annotations

from collections.abc import Callable

from asr_scaling.errors import AsrScalingError


def refusal(call: Callable[..., object], *arguments: object) -> str | None:
    """The error's sentence; None when ``call`` accepts the arguments."""
    try:
        call(*arguments)
    except AsrScalingError as error:
        return str(error)
    return None
