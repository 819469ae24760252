"""Public complaints about cascades, rebuilt small: the tool names the cause and the cure itself.

Modules are fakes whose costs are known: on the processor they use a core's time, on the fake
accelerator they only take time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.fakes import brief, make_spec, workload
from support.voices import recording, talk

from asr_scaling.analysis.modules.advice import ModuleAdvice, Tried, module_advice
from asr_scaling.analysis.modules.costs import costs
from asr_scaling.analysis.points import Point, to_point
from asr_scaling.batch.fixed import Fixed
from asr_scaling.batch.seconds import Seconds
from asr_scaling.cascade.chain import Cascade
from asr_scaling.core.ports import SystemSpec
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import Utterance, Workload
from asr_scaling.device.cpu import Cpu
from asr_scaling.device.fake import FakeAccelerator
from asr_scaling.engine.fake import Fake
from asr_scaling.measure.job import Job, run
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.modules import Modules
from asr_scaling.punctuation.none import NoPunctuation
from asr_scaling.report.modules.section import headline
from asr_scaling.speaker.fake import FakeSpeaker
from asr_scaling.speaker.none import NoSpeaker
from asr_scaling.vad.fake import FakeVad

FOUR = Fixed(4)
FREE_VAD = FakeVad(per_audio_s=0.0)
PLAIN = Cascade(FREE_VAD, NoPunctuation(), NoSpeaker())


@dataclass(frozen=True)
class Talks:
    """The given recordings."""

    recordings: tuple[Utterance, ...] = (talk(6, key="a"), talk(6, key="b"))
    name: str = "talks"

    def load(self, limit: int | None) -> Workload:
        return workload(self.recordings[:limit])


def measured(
    cascade: Cascade, batch: Any = FOUR, device: Any = None, engine: Any = None, **changes: Any
) -> Point:
    system = SystemSpec(
        make_spec(), engine or Fake(fixed_s=0.01), device or Cpu(), batch, cascade=cascade
    )
    profiler = {"latency": Latency(), "modules": Modules(lanes=False)}
    job = Job(system, Talks(**changes), profiler, brief(min_iterations=4))
    record = run(job)
    assert record.status == "ok", record.reason
    return to_point(record)


def first(point: Point, *beside: Point) -> ModuleAdvice:
    return module_advice(point, [point, *beside])[0]


def least(tried: Tried) -> float:
    """What a change brought at least: what else the machine does makes single gains larger."""
    return tried.interval.low if tried.interval else tried.gain


def share(point: Point, module: str) -> float:
    return next(each.wall_share for each in costs(point) if each.name == module)


def test_the_speaker_model_is_left_on_the_processor_while_recognition_is_on_an_accelerator():
    """The study's complaint: recognition runs on the GPU, and the processor is still full."""
    voices = FakeSpeaker(device="cpu", per_window_s=0.006)
    before = measured(replace(PLAIN, speaker=voices), device=FakeAccelerator())
    advice = first(before)
    assert (advice.module, advice.option) == ("speaker", "speaker.device=fake")
    assert "on the processor" in advice.cause
    (said,) = headline([before])
    assert said.startswith("toy: **speaker** keeps the processor busy")
    assert "speaker.device=fake" in said

    moved = replace(PLAIN, speaker=FakeSpeaker(device=None, per_window_s=0.0006))
    after = measured(moved, device=FakeAccelerator())
    tried = first(before, after).tried
    assert tried is not None
    assert tried.gain > 1.2
    assert least(tried) <= (advice.bound or 0.0) * 1.1
    assert tried.cores is not None
    assert tried.cores[1] < 0.5 * tried.cores[0]
    (said,) = headline([before, after])
    assert "Tried here: " in said


def test_voice_activity_takes_most_of_the_time_because_it_is_fed_frame_by_frame():
    one_by_one = FakeVad(batch=1, per_call_s=0.0001, per_audio_s=0.0)
    before = measured(replace(PLAIN, vad=one_by_one))
    assert share(before, "vad") > 0.5
    advice = first(before)
    assert (advice.module, advice.option) == ("vad", "vad.batch=512")
    after = measured(replace(PLAIN, vad=replace(one_by_one, batch=512)))
    tried = first(before, after).tried
    assert tried is not None
    assert tried.gain > 2
    assert least(tried) <= (advice.bound or 0.0) * 1.1


def test_a_detector_on_an_accelerator_is_slower_than_on_the_processor():
    launched = FakeVad(device="fake", batch=512, per_call_s=0.02, per_audio_s=0.0)
    before = measured(replace(PLAIN, vad=launched), device=FakeAccelerator())
    advice = first(before)
    assert (advice.module, advice.option) == ("vad", "vad.device=cpu")
    after = measured(
        replace(PLAIN, vad=replace(launched, device="cpu", per_call_s=0.001)),
        device=FakeAccelerator(),
    )
    tried = first(before, after).tried
    assert tried is not None
    assert tried.gain > 1.2
    assert least(tried) <= (advice.bound or 0.0) * 1.1


def test_segments_of_any_length_in_one_batch_are_mostly_padding():
    lengths = (0.5, 6.0, 0.6, 5.5, 0.7, 6.2, 0.5, 5.8)
    turns, at = list[Turn](), 0.5
    for length in lengths:
        turns.append(Turn(at, at + length, "ann", "words"))
        at += length + 0.6
    mixed = (recording(turns, at, "a"), recording(turns, at, "b"))
    slow = Fake(fixed_s=0.0, per_audio_s=0.01)
    before = measured(PLAIN, Fixed(2), engine=slow, recordings=mixed)
    advice = first(before)
    assert advice.option == "batch=seconds"
    assert "is padding" in advice.cause
    after = measured(PLAIN, Seconds(13.0), engine=slow, recordings=mixed)
    tried = first(before, after).tried
    assert tried is not None
    assert tried.gain > 1.3
    assert least(tried) <= (advice.bound or 0.0) * 1.1


def test_voices_are_embedded_one_by_one_as_an_aligner_aligns():
    one_by_one = FakeSpeaker(batch=1, per_call_s=0.01, per_window_s=0.0)
    before = measured(replace(PLAIN, speaker=one_by_one))
    advice = first(before)
    assert (advice.module, advice.option) == ("speaker", "speaker.batch=32")
    after = measured(replace(PLAIN, speaker=replace(one_by_one, batch=32)))
    tried = first(before, after).tried
    assert tried is not None
    assert tried.gain > 1.5
    assert least(tried) <= (advice.bound or 0.0) * 1.1


@dataclass(frozen=True)
class Spinning(FakeSpeaker):
    """A module with a second thread that waits in a loop, unless it is given one thread."""

    def load(self, torch_name: str) -> Any:
        return Spinner(self, super().load(torch_name))


class Spinner:
    def __init__(self, options: Spinning, inner: Any) -> None:
        import threading

        self._inner, self._stop = inner, threading.Event()
        self.facts, self.moved_bytes, self.device_s = inner.facts, 0, 0.0
        self.window_s, self.hop_s = inner.window_s, inner.hop_s
        self._waiting = None
        if options.threads is None:
            self._waiting = threading.Thread(target=self._spin, daemon=True)
            self._waiting.start()

    def _spin(self) -> None:
        import time

        while not self._stop.is_set():
            until = time.thread_time() + 0.002
            while time.thread_time() < until:
                pass
            time.sleep(0.001)

    def embeddings(self, windows: Sequence[Any]) -> Any:
        return self._inner.embeddings(windows)

    def speakers(self, embeddings: Any) -> Any:
        return self._inner.speakers(embeddings)

    def close(self) -> None:
        self._stop.set()
        if self._waiting is not None:
            self._waiting.join()


def test_cores_are_busy_with_the_threads_of_one_module_that_only_wait():
    slow = Fake(fixed_s=0.1)
    before = measured(replace(PLAIN, speaker=Spinning()), engine=slow)
    advice = next(found for found in module_advice(before, []) if found.module == "speaker")
    assert advice.option == "speaker.threads=1"
    assert (advice.freed_cores or 0.0) > 0.1
    after = measured(replace(PLAIN, speaker=Spinning(threads=1)), engine=slow)
    found = module_advice(before, [before, after])
    tried = next(each.tried for each in found if each.module == "speaker")
    assert tried is not None
    assert tried.cores is not None
    assert tried.cores[0] - tried.cores[1] > 0.2


def test_nothing_is_found_where_nothing_is_wrong():
    point = measured(
        replace(PLAIN, speaker=FakeSpeaker(per_window_s=0.0001)),
        Seconds(30.0),
        engine=Fake(fixed_s=0.15),
    )
    assert module_advice(point, [point]) == ()


@pytest.mark.parametrize("overlap", [False, True])
def test_working_at_once_is_offered_where_modules_wait_for_each_other(overlap: bool):
    away = Cascade(
        FakeVad(device="fake", per_audio_s=0.002),
        NoPunctuation(),
        FakeSpeaker(device="fake", per_window_s=0.004),
        overlap=overlap,
        block_s=30.0,
    )
    point = measured(away, device=FakeAccelerator(), recordings=(talk(30),))
    offered = [advice.option for advice in module_advice(point, [])]
    assert ("cascade.overlap=true" in offered) is not overlap
