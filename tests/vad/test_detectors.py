"""Every detector on speech whose beginning and end are known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.workload import SAMPLE_RATE_HZ
from asr_scaling.dataset.demo import Demo
from asr_scaling.errors import ConfigError, DeviceError
from asr_scaling.machine.module_place import ModulePlace
from asr_scaling.vad import silero
from asr_scaling.vad._frames import stretches
from asr_scaling.vad.fake import FakeVad
from asr_scaling.vad.silero import Silero
from asr_scaling.vad.webrtc import WebRtc

PACKAGES = {Silero: "silero_vad", WebRtc: "webrtcvad", FakeVad: "numpy"}


@pytest.fixture(scope="module")
def spoken() -> tuple[np.ndarray[Any, Any], list[tuple[float, float]]]:
    """Three utterances with two seconds of near silence before, between and after them."""
    noise = np.random.default_rng(1)
    parts, places, at = list[Any](), list[tuple[float, float]](), 0.0
    for utterance in Demo(condition="clean").load(3).utterances:
        quiet = noise.normal(0, 1e-4, 2 * SAMPLE_RATE_HZ).astype(np.float32)
        parts += [quiet, utterance.audio]
        places.append((at + 2, at + 2 + utterance.duration_s))
        at += 2 + utterance.duration_s
    parts.append(noise.normal(0, 1e-4, 2 * SAMPLE_RATE_HZ).astype(np.float32))
    return np.concatenate(parts), places


def loaded(spec: Any) -> Any:
    pytest.importorskip(PACKAGES[type(spec)], reason="the extra cascade is not installed")
    spec.check()
    return spec.load("cpu")


@pytest.mark.parametrize("spec", [Silero(), WebRtc(aggressiveness=3), FakeVad(loud=0.005)])
def test_speech_is_found_where_it_is_and_nowhere_else(spec: Any, spoken: Any):
    audio, places = spoken
    found = loaded(spec).speech(audio)
    heard = np.zeros(audio.size, dtype=bool)
    for start_s, end_s in found:
        heard[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)] = True
    truth = np.zeros(audio.size, dtype=bool)
    for start_s, end_s in places:
        truth[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)] = True
    assert (heard & truth).sum() > 0.75 * truth.sum()  # utterances have pauses of their own
    assert (heard & ~truth).sum() < 0.15 * (~truth).sum()
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(found))


def test_how_many_frames_a_call_has_changes_no_answer(spoken: Any):
    audio, _ = spoken
    found = [loaded(replace(Silero(), batch=batch)).speech(audio) for batch in (1, 7, 512)]
    assert found[0] == found[1] == found[2]


def test_silero_leaves_torchs_threads_as_they_are():
    pytest.importorskip("silero_vad", reason="the extra cascade is not installed")
    import torch

    before = torch.get_num_threads()
    Silero().check()
    assert torch.get_num_threads() == before


def test_what_only_a_processor_computes_is_refused_elsewhere():
    with pytest.raises(DeviceError, match="vad=webrtc computes on the processor only"):
        WebRtc().load("cuda:0")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"aggressiveness": 4}, "vad.aggressiveness must be 0, 1, 2 or 3; got 4"),
        ({"frame_ms": 25}, "vad.frame_ms must be 10, 20 or 30; got 25"),
        ({"batch": 8}, "vad.batch must be 1: it takes frames one by one"),
    ],
)
def test_webrtcs_options(options: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        WebRtc(**options)


def test_sileros_threshold():
    with pytest.raises(ConfigError, match=r"vad.threshold must be more than 0"):
        Silero(threshold=0.0)


def test_frames_become_stretches():
    frames = [False, True, True, False, True, False, False, False, True, False]
    options = {"min_speech_s": 0.0, "min_silence_s": 2.0, "pad_s": 0.0}
    assert stretches(frames, 1.0, **options) == [(1, 5), (8, 9)]
    assert stretches(frames, 1.0, **{**options, "min_speech_s": 2.0}) == [(1, 5)]
    assert stretches(frames, 1.0, **{**options, "pad_s": 2.0}) == [(0, 6.5), (6.5, 10)]


@given(st.lists(st.booleans(), max_size=60), st.floats(0, 5), st.floats(0, 5), st.floats(0, 5))
def test_stretches_are_in_order_and_hold_all_long_speech(frames, speech_s, silence_s, pad_s):
    found = stretches(frames, 1.0, min_speech_s=speech_s, min_silence_s=silence_s, pad_s=pad_s)
    assert all(0 <= a < b <= len(frames) for a, b in found)
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(found))
    if speech_s <= 1:
        inside = sum(
            any(a <= i and i + 1 <= b for a, b in found) for i, f in enumerate(frames) if f
        )
        assert inside == sum(frames)


class Pretended(ModulePlace):
    """A processor that is taken for an accelerator, so that its path can be walked here."""

    accelerated = True

    @contextmanager
    def occupied(self) -> Iterator[None]:
        yield
        self.device_s += 1.0


def test_on_an_accelerator_torch_finds_what_onnx_runtime_finds_on_a_processor(
    spoken: Any, monkeypatch: pytest.MonkeyPatch
):
    audio, _ = spoken
    here = loaded(Silero()).speech(audio)
    monkeypatch.setattr(silero, "ModulePlace", Pretended)
    there = Silero(device="cuda").load("cpu")
    found = there.speech(audio)
    assert np.array(found) == pytest.approx(np.array(here), abs=0.04)
    assert there.device_s == 1.0
    assert there.moved_bytes >= 4 * audio.size
    assert "silero_vad.jit" in there.facts.weights_source
