"""Voices aren't told apart."""

from __future__ import annotations

from dataclasses import dataclass

from asr_scaling.core.ports import Absent


@dataclass(frozen=True)
class NoSpeaker(Absent):
    """Voices aren't told apart."""
