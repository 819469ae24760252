"""Checks of options that several parts have."""

from __future__ import annotations

from collections.abc import Iterable

from asr_scaling.errors import ConfigError


def one_of(option: str, value: str, allowed: Iterable[str]) -> None:
    """Raises ConfigError when the ``value`` of ``option`` is none of ``allowed``."""
    if value not in allowed:
        raise ConfigError(f"{option} must be one of {', '.join(allowed)}; got '{value}'.")
