"""Whisper's encoder on a window shorter than 30 s, with a guard against repetition.

Whisper was trained on windows of 30 s, silence included. A shorter window costs less; attention
costs in proportion to its square. When the window ends too soon after the speech, the decoder may
repeat itself. Utterances whose text looks like a loop are decoded again with the whole window, and
counted (decoding_steps.py).
"""

from __future__ import annotations

import math
import re

from asr_scaling.core.looping import COMPRESSION, compression_ratio
from asr_scaling.core.workload import AudioBatch
from asr_scaling.errors import ConfigError

STEP_S = 0.5
"""Windows are whole multiples of it, so that their shapes repeat."""
TOKENS_PER_S, TOKENS_AT_LEAST = 8.0, 12
"""More tokens than fast speech has are taken for a loop; Moonshine's card allows 6.5 a second."""
PHRASE = 3
"""So many words or more, twice in a row, are taken for a loop."""


def check_margin(margin_s: float | None) -> None:
    """Raises ConfigError unless the margin is from 0 to 30 s, or None for the whole window."""
    if margin_s is not None and not 0 <= margin_s < 30:
        raise ConfigError(
            "engine.window_margin_s must be from 0 to 30, or null for whole windows; "
            f"got {margin_s}."
        )


def window_s(batch: AudioBatch, margin_s: float, whole_s: float) -> float | None:
    """Seconds that the encoder has to see: the longest utterance and the margin, in whole steps.

    None when that is no less than the whole window.
    """
    longest = max(utterance.duration_s for utterance in batch.utterances)
    needed = math.ceil((longest + margin_s) / STEP_S - 1e-9) * STEP_S
    return needed if needed < whole_s else None


def most_tokens(seconds: float) -> int:
    """Tokens beyond which the decoding of ``seconds`` of speech is a loop."""
    return TOKENS_AT_LEAST + math.ceil(TOKENS_PER_S * seconds)


def looped(text: str, tokens: int, seconds: float) -> bool:
    """True when a hypothesis looks like a repetition that nobody spoke.

    ``tokens``: how many tokens it has.
    ``seconds``: of speech that it was decoded from.
    """
    if tokens >= most_tokens(seconds):
        return True
    repeats = _said_twice(re.findall(r"[\w']+", text.lower()))
    return repeats or compression_ratio(text) > COMPRESSION


def _said_twice(words: list[str]) -> bool:
    """Whether some ``PHRASE`` words or more are followed by the very same words."""
    longest = len(words) // 2
    return any(
        words[i : i + n] == words[i + n : i + 2 * n]
        for n in range(PHRASE, longest + 1)
        for i in range(len(words) - 2 * n + 1)
    )
