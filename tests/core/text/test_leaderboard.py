"""The Open ASR Leaderboard's rules for English, where they differ from Whisper's."""

from __future__ import annotations

import pytest

from asr_scaling.core.text.normalisers import named


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Uh, huh, em, I see.", "i see"),
        ("It's Anna's house, that's kinda small.", "it is anna s house that is kinda small"),
        ("The B B C on 5 G", "the bbc on 5g"),
        ("a b and a c i", "a b and aci"),
        ("All right, et cetera", "alright etc"),
        ("I won't pay twenty dollars", "i will not pay $20"),
    ],
)
def test_words(text: str, words: str) -> None:
    assert named("leaderboard")(text) == words
