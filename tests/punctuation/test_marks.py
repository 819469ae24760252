from __future__ import annotations

import pytest

from asr_scaling.errors import DeviceError
from asr_scaling.punctuation.fake import FakePunctuation
from asr_scaling.punctuation.truecase import TrueCase


@pytest.mark.slow
def test_truecase_sets_capital_letters_and_leaves_marks_and_unknown_words_alone():
    pytest.importorskip("truecase", reason="the extra cascade is not installed")
    TrueCase().check()
    loaded = TrueCase().load("cpu")
    texts = ["the queen of england lives in london.", "", "...", "we met Zqxblorf, in paris?"]
    found = loaded.restored(texts)
    assert found[0] == "The Queen of England lives in London."
    assert found[1:3] == ["", "..."]
    assert found[3] == "We met Zqxblorf, in Paris?"
    assert [text.lower() for text in found] == [text.lower() for text in texts]
    assert loaded.facts.weights == "pretrained"


def test_truecase_is_of_the_processor():
    with pytest.raises(DeviceError, match="punctuation=truecase computes on the processor only"):
        TrueCase().load("cuda:0")


def test_the_fake_begins_and_ends_a_sentence():
    loaded = FakePunctuation(per_text_s=0.0).load("cpu")
    assert loaded.restored(["one two", "three.", ""]) == ["One two.", "Three.", ""]
