"""A long recording takes no more memory than a short one, however its modules work."""

from __future__ import annotations

import sys

import pytest
from support.peaks import most_memory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status"),
]
CALL = """
from asr_scaling.batch.seconds import Seconds
from asr_scaling.cascade.chain import Cascade
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe, SystemSpec
from asr_scaling.core.workload import AudioBatch
from asr_scaling.dataset.meetings import Meetings
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.punctuation.fake import FakePunctuation
from asr_scaling.speaker.fake import FakeSpeaker
from asr_scaling.vad.fake import FakeVad
cascade = Cascade(
    FakeVad(per_audio_s=0), FakePunctuation(per_text_s=0), FakeSpeaker(per_window_s=0),
    overlap={overlap},
)
engine = Fake(fixed_s=0.0, per_audio_s=0.0)
spec = SystemSpec(load_spec("whisper_tiny_en"), engine, Cpu(), Seconds(60), cascade=cascade)
made = spec.composed()
system = made.engine.load(made.model, made.device)
for minutes in (1, {minutes}):
    recordings = Meetings(minutes=minutes, recordings=1).load(1).utterances
    found = system.transcribe(AudioBatch(recordings), NullProbe())
assert len(found.turns[0]) > 5
"""


@pytest.mark.parametrize("overlap", [False, True])
def test_an_hour_takes_little_more_than_five_minutes(overlap: bool) -> None:
    """An hour of samples would be 230 MB."""
    short, long = (most_memory(CALL.format(overlap=overlap, minutes=m)) for m in (5, 60))
    assert long - short < 40e6
