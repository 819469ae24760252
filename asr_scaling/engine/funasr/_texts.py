"""What FunASR's recognisers say, as plain text."""

from __future__ import annotations

import re

from asr_scaling.core.language import language_code

_TAG = re.compile(r"<\|([^|<>]*)\|>")
_CHINESE = "\u3400-\u9fff\uf900-\ufaff，。？、"
_BETWEEN = re.compile(f"(?<=[{_CHINESE}])\\s+(?=[{_CHINESE}])")


def plain_text(said: str) -> str:
    """``said`` without SenseVoice's tags, and without the spaces between Chinese characters.

    Models that find times separate characters by spaces.
    """
    return _BETWEEN.sub("", _TAG.sub("", said)).strip()


def tags(said: str) -> list[str]:
    """SenseVoice's tags in ``said``: language, emotion, event and whether numbers are digits."""
    return _TAG.findall(said)


def spoken_language(said: str) -> str | None:
    """The code of the language that SenseVoice recognised; None where it tells none."""
    return next((code for tag in tags(said)[:1] if (code := language_code(tag))), None)
