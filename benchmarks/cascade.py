"""How much faster is the cascade than the same modules in the plain order of work?

    python benchmarks/cascade.py --minutes 20 --rounds 3

Both transcribe one synthetic meeting with silero's voice activity, Whisper tiny.en and the
Resemblyzer's voices. "plain" is what WhisperX does, with the same parts in plain form:
faster-whisper with 8-bit weights, its package's own detector cuts the recording, stretches are
merged up to 30 s and recognised one by one, then voices are embedded one by one, each step after
the other. The others are cascades of this package. They run in turns in one process, each round in
another order, and are compared by pairs of one round.

Printed: RTFx of each, its speed over plain's with an interval of 95 %, WER, the most that lies
between modules, and what as many stretches of no work cost to account for.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from asr_scaling.core.statistics import mean_interval
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch, Utterance
from asr_scaling.dataset.meetings import Meetings

BEST = (
    "engine=openvino",
    "optimisation=[dynamic_window,int8,device_features]",
    "batch=seconds",
    "batch.seconds=30",
)
CASCADES: Mapping[str, tuple[str, ...]] = {
    "cascade": (*BEST, "cascade.overlap=false"),
    "cascade, overlapped": (*BEST, "cascade.overlap=true"),
    "cascade of faster-whisper": (
        "engine=faster_whisper",
        "optimisation=[dynamic_window,int8]",
        "batch=seconds",
        "batch.seconds=30",
    ),
}
COMMON = ("model=whisper_tiny_en", "vad=silero", "speaker=resemblyzer", "~tracking")
Call = Callable[[Utterance], dict[str, Any]]


def composed(overrides: tuple[str, ...]) -> Any:
    """The system that a command line names."""
    from hydra import compose, initialize_config_dir

    from asr_scaling.sweep.instantiate import build_system, options
    from asr_scaling.util.config_dir import conf_dir

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        plain = options(compose("config", list(overrides)))
    return build_system(plain).composed()


def cascade(overrides: tuple[str, ...]) -> Call:
    """A loaded cascade, as a call."""
    from asr_scaling.core.ports import NullProbe

    spec = composed((*COMMON, *overrides))
    spec.check()
    spec.device.setup()
    system = spec.engine.load(spec.model, spec.device)

    def call(recording: Utterance) -> dict[str, Any]:
        result = system.transcribe(AudioBatch((recording,)), NullProbe())
        account = result.account
        between = account.modules["between"].wall_s / account.total_s
        share = accounting_s(system.owners, len(account.spans)) / account.total_s
        return {"between": between, "accounting": share, "text": result.texts[0]}

    return call


def accounting_s(owners: Any, spans: int) -> float:
    """Seconds that it takes to account for so many stretches of work in which nothing is done."""
    from asr_scaling.cascade.ledger import Counted, Ledger

    start_s = time.perf_counter()
    ledger = Ledger(owners)
    for _ in range(spans):
        with ledger.work("vad", "cpu", 1):
            pass
    ledger.account({"vad": Counted()})
    return time.perf_counter() - start_s


def plain() -> Call:
    """faster-whisper, its own voice activity, and voices, step by step and one by one."""
    from faster_whisper import WhisperModel
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    from asr_scaling.engine.faster_whisper._files import ctranslate2_files
    from asr_scaling.machine.threads import threads
    from asr_scaling.speaker.resemblyzer import Resemblyzer

    spec = composed((*COMMON, "engine=faster_whisper", "vad=none", "speaker=none"))
    folder = str(ctranslate2_files(spec.model, "int8", 42).folder)
    whisper = WhisperModel(folder, compute_type="int8_float32", cpu_threads=threads())
    voices = Resemblyzer(batch=1).load("cpu")

    def call(recording: Utterance) -> dict[str, Any]:
        found = get_speech_timestamps(recording.audio, VadOptions(max_speech_duration_s=30))
        texts = list[str]()
        for start, end in merged([(row["start"], row["end"]) for row in found]):
            segments, _ = whisper.transcribe(
                recording.audio[start:end], language="en", beam_size=1, temperature=0.0
            )
            texts += [segment.text for segment in segments]  # the package computes as it is read
        step, embedded = round(0.8 * SAMPLE_RATE_HZ), list[Any]()
        for row in found:
            part = recording.audio[row["start"] : row["end"]]
            for at in range(0, max(1, part.size - step), step):
                embedded.append(voices.embeddings([part[at : at + 2 * step]]))
        voices.speakers(np.concatenate(embedded))
        return {"between": 0.0, "text": " ".join(texts)}

    return call


def word_error_rate(recording: Utterance, text: str) -> float:
    """Of the whole recording, as a record has it."""
    from asr_scaling.profiler.quality import normaliser, score

    found = score([(recording.id, recording.reference, text)], normaliser("auto")[0], {})
    return next(metric.value for metric in found.metrics if metric.name == "quality/wer")


def merged(found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring stretches of speech as one of up to 30 s, in samples."""
    chunks: list[tuple[int, int]] = []
    for start, end in found:
        if chunks and end - chunks[-1][0] <= 30 * SAMPLE_RATE_HZ:
            chunks[-1] = (chunks[-1][0], end)
        else:
            chunks.append((start, end))
    return chunks


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    recording = Meetings(minutes=asked.minutes, recordings=1).load(1).utterances[0]
    calls: dict[str, Call] = {"plain": plain()}
    calls |= {name: cascade(overrides) for name, overrides in CASCADES.items()}
    short = Meetings(minutes=1, recordings=1).load(1).utterances[0]
    for call in calls.values():
        call(short)
        call(short)
    took: dict[str, list[float]] = {name: [] for name in calls}
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in calls}
    for number in range(asked.rounds):
        for name in random.Random(number).sample(list(calls), len(calls)):
            begin = time.perf_counter()
            told[name].append(calls[name](recording))
            took[name].append(time.perf_counter() - begin)
            print(json.dumps({"round": number, "system": name, "s": took[name][-1]}), flush=True)
    for name, seconds in took.items():
        ratios = [one / other for one, other in zip(took["plain"], seconds, strict=True)]
        ends = mean_interval(ratios)
        interval = f" ({ends.low:.2f} to {ends.high:.2f})" if ends else ""
        rtfx = recording.duration_s / statistics.fmean(seconds)
        between = max(row["between"] for row in told[name])
        accounting = max(row.get("accounting", 0.0) for row in told[name])
        wer = word_error_rate(recording, told[name][-1]["text"])
        print(
            f"{name:28} RTFx {rtfx:6.1f}  {statistics.fmean(ratios):5.2f} × plain{interval}, "
            f"WER {100 * wer:.1f} %, between modules {100 * between:.2f} %, "
            f"accounting {100 * accounting:.3f} %"
        )


if __name__ == "__main__":
    main()
