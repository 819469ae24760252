"""No detector: recordings are recognised whole."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Absent


@dataclass(frozen=True)
class NoVad(Absent):
    """No detector: recordings are recognised whole."""
