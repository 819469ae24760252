"""Made-up studies whose laws are known: what a report must find in them can be computed by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr_scaling.core.call_summary import summarise
from asr_scaling.core.cautions import caution
from asr_scaling.core.energy_methods import GIVEN
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Sample
from asr_scaling.core.spread import Spread
from asr_scaling.core.statistics import Interval
from asr_scaling.measure.pipeline import SCOPE

ALIKE = Spread(1e-6, 1e-6, 30.0, source="made up")
"""For studies that are about something else than what processes differ by."""
MACHINE = {
    "host": "testbench",
    "os": "Linux",
    "python": "3.11.7",
    "cpu": "Test CPU",
    "cpu_cores": 2,
    "memory_bytes": 16_000_000_000,
    "versions": {"asr-scaling": "0.1.0", "torch": "2.13.0"},
    "commit": "0123abc",
    "certificate": {"status": "warn", "at": "2026-11-21T10:00:00+00:00", "noise_floor": 0.01},
    "spread": ALIKE.to_json(),
}


ESTIMATED = caution("GivenWatts", parts="cpu from given watts: 5 W idle, 20 W busy (a fake)")


@dataclass(frozen=True)
class Law:
    """One model on one device: a call on B utterances of d seconds takes
    ``call_s`` + B · (``window_cost_s`` · ceil(d / window_s) + ``per_s`` · d),
    on a CPU with ``watts``.

    Without ``window_s`` the window's cost is paid once an utterance.
    """

    model: str
    parameters: int
    flops: float
    window_cost_s: float
    per_s: float
    call_s: float = 0.05
    window_s: float | None = 30.0
    wer: float | None = 0.05
    watts: float = 20.0
    device: str = "cpu"

    def call(self, length_s: float, batch: int) -> float:
        windows = math.ceil(length_s / self.window_s) if self.window_s else 1
        return self.call_s + batch * (self.window_cost_s * windows + self.per_s * length_s)


TINY = Law("whisper_tiny_en", 37_760_256, 36.9e9, 0.30, 0.010, wer=0.0493)
BASE = Law("whisper_base", 72_593_920, 87.0e9, 0.60, 0.018, wer=0.0402)
WAV2VEC2 = Law("wav2vec2", 94_396_320, 34.7e9, 0.01, 0.110, window_s=None, wer=None)
GPU_TINY = Law(
    "whisper_tiny_en",
    37_760_256,
    36.9e9,
    0.002,
    0.002,
    0.02,
    wer=0.0493,
    watts=120.0,
    device="cuda:0",
)


def study(
    laws: Sequence[Law] = (TINY, BASE, WAV2VEC2),
    lengths: Sequence[float | None] = (5.0, 15.0, 30.0, 60.0),
    batches: Sequence[int] = (1, 2, 4, 8, 16),
    *,
    calls: int = 8,
    noise: float = 0.0,
    seed: int = 42,
) -> list[RunRecord]:
    """One record for each combination; ``noise``: standard deviation of the logarithm of
    a call's time."""
    dice = random.Random(seed)
    return [
        record(law, length, batch, calls=calls, noise=noise, dice=dice)
        for law in laws
        for length in lengths
        for batch in batches
    ]


def record(
    law: Law,
    length: float | None,
    batch: int,
    *,
    calls: int = 8,
    noise: float = 0.0,
    dice: random.Random | None = None,
) -> RunRecord:
    """One point. Natural lengths (None) are of 4 s."""
    dice, seconds = dice or random.Random(1), length or 4.0
    samples = tuple(
        _sample(law, seconds, batch, i, math.exp(dice.gauss(0, noise))) for i in range(calls)
    )
    measured = summarise(samples)
    unavailable, cautions = dict(measured.unavailable), [ESTIMATED]
    if law.wer is None:
        unavailable["quality/wer"] = "random weights have no WER"
        cautions.append(caution("RandomWeights", reason="no hub"))
    transcripts = () if law.wer is None else tuple(_transcript(f"u{i}", law.wer) for i in range(16))
    per_second_j = law.watts * law.call(seconds, batch) / batch / seconds
    return RunRecord(
        name=f"{law.model} transformers {law.device.split(':')[0]} b{batch}"
        + (f" {length:g}s" if length else ""),
        status="ok",
        config={
            "seed": 42,
            "model": {"name": law.model},
            "engine": {
                "_target_": "asr_scaling.engine.transformers.Transformers",
                "dtype": "float32",
            },
            "device": {"_target_": "asr_scaling.device.cpu.Cpu"},
            "dataset": {"length_s": length},
            "batch": {"size": batch},
        },
        environment={
            **MACHINE,
            "device": {"kind": "cpu"} if law.device == "cpu" else {"gpu": "Test GPU"},
        },
        system=_system(law),
        dataset={
            "name": "speech",
            "digest": "d",
            "utterances": 16,
            "audio_s": 16 * seconds,
            "synthetic": False,
        },
        scope=SCOPE,
        samples=samples,
        metrics=(
            *measured.metrics,
            *_costs(law, seconds, batch, calls),
            *_work(law, seconds),
            *_wer(transcripts),
        ),
        unavailable=unavailable,
        cautions=tuple(cautions),
        tags={
            "energy/method": GIVEN,
            "quality/normaliser": "whisper_english",
            "roofline/encoder": "compute",
            **({"roofline/decoder": "memory"} if law.window_s else {}),
        },
        transcripts=transcripts,
        repeats={
            "energy/per_audio_second_j": tuple(per_second_j * f for f in (0.99, 1.0, 1.0, 1.01))
        },
        started_at=1_795_000_000.0,
        ended_at=1_795_000_020.0,
    )


def _costs(law: Law, seconds: float, batch: int, calls: int) -> list[Metric]:
    """Start-up, memory, energy and noise."""
    per_sample_j = law.watts * law.call(seconds, batch) / batch
    joules = {
        "energy/per_sample_j": per_sample_j,
        "energy/per_audio_second_j": per_sample_j / seconds,
    }
    return [
        Metric("startup/load_s", 0.5),
        Metric("memory/weights_bytes", law.parameters * 4.0),
        Metric("memory/peak_rss_bytes", law.parameters * 4.0 + batch * 4e6 * seconds),
        *(
            Metric(name, value, 4, Interval(value * 0.97, value * 1.03))
            for name, value in joules.items()
        ),
        Metric("noise/latency_floor", 0.01, calls),
    ]


def _work(law: Law, seconds: float) -> list[Metric]:
    """Operations, the machine's peaks, and how near the model is to them."""
    decoder = {
        "flops/decoder_step": law.flops / 900,
        "roofline/decoder_intensity": 0.6,
        "utilisation/mfu_decoder": 0.02,
        "utilisation/membw_decoder": 0.2,
    }
    found = {
        "flops/encoder": law.flops if law.window_s else law.flops * seconds / 5,
        "flops/encoder_thop": 0.63 * law.flops if law.window_s else law.flops * seconds / 5,
        "flops/utterance": 1.1 * law.flops * math.ceil(seconds / (law.window_s or seconds)),
        "peak/flop_per_s": 200e9,
        "peak/byte_per_s": 35e9,
        "roofline/ridge": 200 / 35,
        "roofline/encoder_intensity": 40.0,
        "utilisation/mfu_encoder": 0.7,
        "ops/gemm_share": 0.5,
        "ops/attention_share": 0.3,
        "ops/other_share": 0.2,
        **(decoder if law.window_s else {}),
    }
    return [Metric(name, value) for name, value in found.items()]


def _wer(transcripts: Sequence[Mapping[str, object]]) -> list[Metric]:
    if not transcripts:
        return []
    edits, words = (
        sum(int(str(row[key])) for row in transcripts) for key in ("substitutions", "words")
    )
    rate = edits / words
    return [Metric("quality/wer", rate, 16, Interval(0.7 * rate, 1.3 * rate))]


def _system(law: Law) -> dict[str, object]:
    return {
        "model": {
            "name": law.model,
            "family": "whisper" if law.window_s else "ctc",
            "parameters": law.parameters,
            "window_s": law.window_s,
        },
        "engine": "transformers",
        "device": law.device,
        "facts": {
            "weights": "random" if law.wer is None else "pretrained",
            "weights_source": "package",
            "weights_bytes": law.parameters * 4,
            "parameters": law.parameters,
            "dtype": "float32",
        },
    }


def _sample(law: Law, seconds: float, batch: int, number: int, factor: float) -> Sample:
    """Calls go round 16 utterances; the encoder takes the window's cost, the decoder the rest."""
    total = law.call(seconds, batch) * factor
    ids = tuple(f"u{(number * batch + i) % 16}" for i in range(batch))
    encoder = 0.6 * total if law.window_s else 0.9 * total
    stages = {"other": 0.0, "features": 0.05 * total, "encoder": encoder}
    if law.window_s:
        stages["decoder"] = total - sum(stages.values())
    else:
        stages["text"] = total - sum(stages.values())
    steps = tuple([0.01] * 10) if law.window_s else ()
    first = 0.65 * total if law.window_s else None
    return Sample(
        ids,
        batch * seconds,
        batch * seconds,
        total,
        stages,
        first,
        steps,
        (11,) * batch,
        1e9 + number,
    )


def _transcript(key: str, rate: float) -> dict[str, object]:
    """100 words, about ``rate`` of them wrong."""
    edits = round(100 * rate) + (int(key[1:]) % 3 - 1)
    return {
        "id": key,
        "reference": "",
        "hypothesis": "",
        "substitutions": edits,
        "deletions": 0,
        "insertions": 0,
        "words": 100,
        "character_edits": edits,
        "characters": 500,
    }
