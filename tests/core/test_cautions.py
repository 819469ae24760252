"""The table of cautions: its kinds are checked and its messages filled."""

from __future__ import annotations

import pytest

from asr_scaling.core.cautions import NOT_TRACKED, Caution, caution
from asr_scaling.errors import ConfigError


def test_a_message_is_filled_and_what_fills_it_is_kept_as_it_is():
    kept = caution(NOT_TRACKED, reason="no {room} left")
    assert kept == Caution(NOT_TRACKED, "no {room} left", "The record is complete on disk.")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match="'Typo' is not in the table of cautions; add it to"):
        caution("Typo")
