"""Texts stay as recognition gives them."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Absent


@dataclass(frozen=True)
class NoPunctuation(Absent):
    """Texts stay as recognition gives them."""
