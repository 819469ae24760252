"""Every engine and the best compositions in turn, on the same speech: RTFx, WER, what we cost.

    python benchmarks/engines.py  # whisper_tiny_en, the bundled speech
    python benchmarks/engines.py --model whisper_base --speech FOLDER --rounds 5
    python benchmarks/engines.py --only transformers --also 'window=optimisation=[dynamic_window]'

A system is a line of options as the command line takes them; 16 utterances in batches of 1 and of
16, sorted by length. All run in one process. Each round times one pass of every system, in an order
of its own, so that drift of the machine falls on all alike. Printed are RTFx (audio over the median
round's time; slowest to fastest round), the ratio to faster-whisper's own
``WhisperModel.transcribe`` in int8 at batch 1, or its ``BatchedInferencePipeline`` at batch 16,
with the interval over rounds, WER, and what the pipeline around the engine costs: each call is made
twice, bare and with its stages timed and its texts kept, in alternating order; shown is the median
of the pairs' ratios with its interval.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from asr_scaling.batch.bucketed import Bucketed
from asr_scaling.core.ports import Device, NullProbe, NullProgress, Session, System, SystemSpec
from asr_scaling.core.statistics import percentile_interval, ratio_interval
from asr_scaling.core.timing_probe import timed_call
from asr_scaling.core.workload import AudioBatch, Workload
from asr_scaling.errors import AsrScalingError
from asr_scaling.measure.job import Job
from asr_scaling.profiler.quality import normaliser, score

UTTERANCES, BATCHES = 16, (1, 16)
OWN, OWN_BATCHED = "faster-whisper's own, int8", "faster-whisper's own batched, int8"
SYSTEMS = {
    "transformers": "engine=transformers",
    "transformers int8": "engine=transformers optimisation=[int8]",
    "faster_whisper": "engine=faster_whisper",
    "faster_whisper int8": "engine=faster_whisper optimisation=[int8]",
    "onnxruntime": "engine=onnxruntime",
    "onnxruntime int8": "engine=onnxruntime optimisation=[int8]",
    "openvino": "engine=openvino",
    "openvino int8": "engine=openvino optimisation=[int8]",
    "whisper_cpp": "engine=whisper_cpp",
    "whisper_cpp int8": "engine=whisper_cpp optimisation=[int8]",
    "transformers int8 window": "engine=transformers optimisation=[int8,dynamic_window]",
    "faster_whisper int8 window": "engine=faster_whisper optimisation=[int8,dynamic_window]",
    "onnxruntime int8 window": "engine=onnxruntime optimisation=[int8,dynamic_window]",
    "openvino int8 window": "engine=openvino optimisation=[int8,dynamic_window]",
}
Call = Callable[[AudioBatch], Sequence[str]]


@dataclass
class Contestant:
    """``call``: a batch's texts.
    ``session``: the same through the pipeline, None for a library's own call."""

    name: str
    batch: int
    device: Device
    call: Call
    batches: list[AudioBatch]
    session: Session | None = None
    seconds: list[float] = field(default_factory=list)
    pairs: list[float] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """One timed pass: of each batch a bare call and one through the pipeline;
        which comes first alternates."""
        self.device.setup()
        bare_s = 0.0
        for i, batch in enumerate(self.batches, start=len(self.seconds)):
            calls = [self._bare, self._through] if i % 2 else [self._through, self._bare]
            spent = {
                each: self._timed(each, batch)
                for each in calls
                if each == self._bare or self.session
            }
            bare_s += spent[self._bare]
            if self.session:
                self.pairs.append(spent[self._through] / spent[self._bare])
        self.seconds.append(bare_s)

    def _timed(self, call: Callable[[AudioBatch], None], batch: AudioBatch) -> float:
        start = time.perf_counter()
        call(batch)
        self.device.seconds([self.device.mark()])
        return time.perf_counter() - start

    def _bare(self, batch: AudioBatch) -> None:
        self.texts.update(zip((u.id for u in batch.utterances), self.call(batch), strict=True))

    def _through(self, batch: AudioBatch) -> None:
        if self.session:
            timed_call(self.session, batch)


def job(options: str, model: str) -> Job:
    """The job that a command line of ``options`` describes."""
    from hydra import compose, initialize_config_dir

    from asr_scaling.sweep.instantiate import build_job
    from asr_scaling.sweep.instantiate import options as plain
    from asr_scaling.util.config_dir import conf_dir

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return build_job(
            plain(compose("config", [f"model={model}", "~tracking", *options.split()]))
        )


def engines(name: str, options: str, model: str, speech: Workload) -> list[Contestant]:
    """The system at every batch size; it is loaded once."""
    made = job(options, model).system.composed()
    made.engine.check(made.model)
    made.device.setup()
    system = made.engine.load(made.model, made.device)

    def call(batch: AudioBatch) -> Sequence[str]:
        return system.transcribe(batch, NullProbe()).texts

    found = []
    for size in BATCHES:
        batches = Bucketed(size).batches(speech.utterances)
        session = _session(made, system, speech, batches)
        found.append(Contestant(name, size, made.device, call, batches, session))
    return found


def _session(
    made: SystemSpec, system: System, speech: Workload, batches: Sequence[AudioBatch]
) -> Session:
    return Session(made.model, system, made.device, speech, tuple(batches), Path(), NullProgress())


def own(model: str, speech: Workload) -> list[Contestant]:
    """faster-whisper as its README calls it, greedy:
    one utterance at a time, and its batched pipeline."""
    import numpy as np
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    from asr_scaling.engine.faster_whisper._files import ctranslate2_files

    made = job("engine=faster_whisper optimisation=[int8]", model).system.composed()
    threads = int(made.device.setup().get("threads", 0))
    folder = ctranslate2_files(made.model, "int8", 42).folder
    library: Any = WhisperModel(
        str(folder), device=made.device.kind, compute_type="int8", cpu_threads=threads
    )
    batched: Any = BatchedInferencePipeline(library)
    options = {"beam_size": 1, "temperature": 0.0, "language": "en", "without_timestamps": True}

    def single(batch: AudioBatch) -> Sequence[str]:
        audio = batch.utterances[0].audio
        segments, _ = library.transcribe(audio, condition_on_previous_text=False, **options)
        return ["".join(segment.text for segment in segments)]

    def many(batch: AudioBatch) -> Sequence[str]:
        ends = np.cumsum([u.duration_s for u in batch.utterances]).tolist()
        clips = [
            {"start": end - u.duration_s, "end": end}
            for end, u in zip(ends, batch.utterances, strict=True)
        ]
        audio = np.concatenate([u.audio for u in batch.utterances])
        segments, _ = batched.transcribe(
            audio, batch_size=len(batch), clip_timestamps=clips, vad_filter=False, **options
        )
        texts = [""] * len(clips)
        for segment in segments:
            middle = (segment.start + segment.end) / 2
            i = min(
                range(len(clips)),
                key=lambda k: abs((clips[k]["start"] + clips[k]["end"]) / 2 - middle),
            )
            texts[i] += segment.text
        return texts

    return [
        Contestant(name, size, made.device, call, Bucketed(size).batches(speech.utterances))
        for name, size, call in ((OWN, 1, single), (OWN_BATCHED, 16, many))
    ]


def main(arguments: Sequence[str]) -> int:
    """Load everything, time it in rounds, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--model", default="whisper_tiny_en")
    parser.add_argument(
        "--speech", help="folder of speech with transcripts; the bundled demo otherwise"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="systems whose name holds this")
    parser.add_argument(
        "--also", action="append", default=[], metavar="NAME=OPTIONS", help="a system more"
    )
    chosen = parser.parse_args(arguments)
    wanted = {name: options for name, options in SYSTEMS.items() if chosen.only in name}
    wanted |= {name: options for name, _, options in (each.partition("=") for each in chosen.also)}
    dataset = f"dataset=folder dataset.path='{chosen.speech}'" if chosen.speech else "dataset=demo"
    speech = job(f"engine=fake {dataset}", chosen.model).dataset.load(UTTERANCES)
    found = own(chosen.model, speech)
    for name, options in wanted.items():
        try:
            found += engines(name, options, chosen.model, speech)
        except AsrScalingError as error:
            print(f"{name}: {error}")
    for contestant in found:
        contestant.run()  # warms up
        contestant.seconds, contestant.pairs = [], []
    dice = random.Random(0)
    for k in range(chosen.rounds):
        for contestant in dice.sample(found, len(found)):
            contestant.run()
        print(f"round {k + 1} of {chosen.rounds}", file=sys.stderr)
    Console(width=150).print(table(found, speech, chosen.model))
    return 0


def table(found: Sequence[Contestant], speech: Workload, model: str) -> Table:
    """A row for every system and batch size."""
    shown = Table(
        "system",
        "batch",
        "RTFx",
        "rounds",
        "× faster-whisper's own",
        "WER %",
        "pipeline / bare call",
        title=model,
    )
    rivals = {c.batch: c for c in found if c.name in (OWN, OWN_BATCHED)}
    for contestant in sorted(found, key=lambda c: (c.batch, statistics.median(c.seconds))):
        audio = sum(batch.audio_s for batch in contestant.batches)
        low, middle, high = (audio / f(contestant.seconds) for f in (max, statistics.median, min))
        rival = rivals[contestant.batch].seconds
        shown.add_row(
            contestant.name,
            str(contestant.batch),
            f"{middle:.1f}",
            f"{low:.1f} to {high:.1f}",
            _ratio(rival, contestant.seconds),
            f"{100 * wer(contestant, speech):.1f}",
            _cost(contestant.pairs),
        )
    return shown


def wer(contestant: Contestant, speech: Workload) -> float:
    """Word errors over reference words, normalised as profiler=quality does."""
    normalise, label = normaliser("whisper_english")
    pairs = [(u.id, u.reference, contestant.texts[u.id]) for u in speech.utterances]
    found = score(pairs, normalise, {"quality/normaliser": label})
    return next(metric.value for metric in found.metrics if metric.name == "quality/wer")


def _ratio(over: Sequence[float], under: Sequence[float]) -> str:
    interval, middle = ratio_interval(over, under), sum(over) / sum(under)
    return f"{middle:.2f}" + (f" ± {interval.half(middle):.2f}" if interval else "")


def _cost(pairs: Sequence[float]) -> str:
    if not pairs:
        return "–"
    interval, middle = percentile_interval(pairs, 50), statistics.median(pairs)
    return f"{middle:.3f}" + (f" ({interval.low:.3f} to {interval.high:.3f})" if interval else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
