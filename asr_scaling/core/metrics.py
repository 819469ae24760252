"""The one table of metrics: name → unit, direction and meaning. Formatting lives in the reports, not here."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from asr_scaling.core.schema import build, shown
from asr_scaling.errors import ConfigError

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True)
class MetricSpec:
    """What a metric's number means. ``unit`` is SI or "1" for a ratio."""

    unit: str
    better: Better
    meaning: str


@dataclass(frozen=True)
class MetricRow:
    """A metric as a record's JSON has it; ``low`` and ``high`` are the ends of its interval."""

    value: float
    unit: str
    better: str
    n: int | None = None
    low: float | None = None
    high: float | None = None


METRICS: dict[str, MetricSpec] = {
    "latency/mean_s": MetricSpec(
        "s", "lower", "mean time of one call, samples in memory to text out"
    ),
    "latency/p50_s": MetricSpec("s", "lower", "median time of one call"),
    "latency/p90_s": MetricSpec("s", "lower", "90th percentile of the time of one call"),
    "latency/p95_s": MetricSpec("s", "lower", "95th percentile of the time of one call"),
    "latency/p99_s": MetricSpec("s", "lower", "99th percentile of the time of one call"),
    "latency/p99_over_p50": MetricSpec(
        "1", "lower", "tail amplification: 99th percentile over median"
    ),
    "latency/p50_precision": MetricSpec(
        "1", "lower", "half width of the median's interval over the median"
    ),
    "latency/first_token_s": MetricSpec(
        "s", "lower", "median over calls of the time to the first decoded token"
    ),
    "latency/per_token_s": MetricSpec(
        "s", "lower", "median over calls of the mean time per decoding step after the first"
    ),
    "latency_per_utterance/*_s": MetricSpec(
        "s", "lower", "time of one call divided by its batch size"
    ),
    "stage/*_s": MetricSpec("s", "lower", "mean time one call spends in the stage"),
    "throughput/rtfx": MetricSpec("1", "higher", "audio seconds transcribed per wall second"),
    "throughput/samples_per_s": MetricSpec(
        "1/s", "higher", "utterances transcribed per wall second"
    ),
    "startup/load_s": MetricSpec("s", "lower", "time to load the model onto the device"),
    "startup/first_call_s": MetricSpec(
        "s", "lower", "time of the very first call, before any warm-up"
    ),
    "startup/warmup_s": MetricSpec("s", "lower", "time of all calls before the timed ones"),
    "startup/compile_s": MetricSpec("s", "lower", "time that compiling took, in the first calls"),
    "workload/audio_s": MetricSpec(
        "s", "neither", "distinct audio given to the system, over all passes"
    ),
    "workload/processed_audio_s": MetricSpec(
        "s", "neither", "distinct audio the system really processed"
    ),
    "workload/iterations": MetricSpec("1", "neither", "calls in the timed pass"),
    "workload/warmup_iterations": MetricSpec("1", "neither", "calls before the timed pass"),
    "workload/repeated_utterances": MetricSpec(
        "1", "neither", "utterances whose call was repeated and texts compared"
    ),
    "workload/decoded_again_share": MetricSpec(
        "1",
        "lower",
        "share of utterances decoded a second time, because the first hypothesis looked like a loop",
    ),
    "workload/tokens_per_s": MetricSpec("1/s", "neither", "decoded tokens per second of audio"),
    "noise/latency_floor": MetricSpec(
        "1", "lower", "smallest relative difference of latency that is not noise (A/A)"
    ),
    "noise/steal_share": MetricSpec(
        "1", "lower", "share of the cores' time that the hypervisor gave to others"
    ),
    "noise/others_share": MetricSpec(
        "1", "lower", "share of the cores' time that other processes used"
    ),
    "noise/frequency_change": MetricSpec(
        "1", "lower", "relative change of the clock frequency over the timed pass"
    ),
    "batch/largest": MetricSpec("1", "higher", "largest batch that fits, as found by batch=max"),
    "memory/peak_rss_bytes": MetricSpec(
        "B", "lower", "peak resident memory above the idle process"
    ),
    "memory/peak_device_bytes": MetricSpec(
        "B", "lower", "peak memory allocated on the accelerator"
    ),
    "memory/weights_bytes": MetricSpec("B", "lower", "bytes of parameters and buffers"),
    "memory/activations_bytes": MetricSpec("B", "lower", "peak minus weights"),
    "memory/idle_rss_bytes": MetricSpec(
        "B", "neither", "resident memory of the process before loading"
    ),
    "energy/total_j": MetricSpec(
        "J", "lower", "energy of all windows, of the components that energy/method speaks of"
    ),
    "energy/window_s": MetricSpec("s", "neither", "mean length of a window"),
    "energy/windows": MetricSpec(
        "1", "neither", "windows: counter readings with whole calls between them"
    ),
    "energy/ticks": MetricSpec("1", "neither", "fewest ticks of the slowest counter in a window"),
    "energy/per_sample_j": MetricSpec(
        "J", "lower", "energy per utterance, the idle machine's share included"
    ),
    "energy/per_audio_second_j": MetricSpec(
        "J/s", "lower", "energy per second of audio, the idle machine's share included"
    ),
    "energy/power_w": MetricSpec("W", "lower", "mean power over the windows"),
    "energy/idle_power_w": MetricSpec(
        "W", "neither", "power of the idle machine before the model was loaded"
    ),
    "energy/net_per_sample_j": MetricSpec(
        "J", "lower", "energy per utterance above the idle machine's"
    ),
    "energy/net_per_audio_second_j": MetricSpec(
        "J/s", "lower", "energy per second of audio above the idle machine's"
    ),
    "energy/cpu_j": MetricSpec("J", "neither", "the processor's energy in all windows"),
    "energy/memory_j": MetricSpec("J", "neither", "the memory's energy in all windows"),
    "energy/gpu_j": MetricSpec("J", "neither", "the GPU board's energy in all windows"),
    "quality/wer": MetricSpec(
        "1", "lower", "word errors over reference words, summed over utterances"
    ),
    "quality/cer": MetricSpec(
        "1", "lower", "character errors over reference characters, summed over utterances"
    ),
    "quality/*": MetricSpec("1", "neither", "count behind WER and CER"),
    "flops/encoder": MetricSpec("FLOP", "lower", "encoder, attention counted, per utterance"),
    "flops/decoder_step": MetricSpec(
        "FLOP", "lower", "one decoding step of one utterance, projection counted"
    ),
    "flops/decoder_first": MetricSpec(
        "FLOP",
        "lower",
        "first decoding step of one utterance: prompt and projection of the encoder's output, once",
    ),
    "flops/utterance": MetricSpec("FLOP", "lower", "everything on the device for one utterance"),
    "flops/encoder_thop": MetricSpec(
        "FLOP", "neither", "encoder by thop's modules × 2: attention's matmuls missing"
    ),
    "flops/audio_s": MetricSpec("s", "neither", "duration of the utterance the FLOPs belong to"),
    "bytes/encoder": MetricSpec(
        "B", "lower", "bytes its operators read and write for one utterance; caches not considered"
    ),
    "bytes/decoder_first": MetricSpec(
        "B", "lower", "the same for the first decoding step, which projects the encoder's output"
    ),
    "bytes/decoder_step": MetricSpec(
        "B", "lower", "the same for one decoding step after the first"
    ),
    "bytes/*_weights": MetricSpec(
        "B", "lower", "of these, bytes of weights: read once a call, whatever the batch"
    ),
    "peak/flop_per_s": MetricSpec(
        "FLOP/s", "higher", "best matrix product measured on this machine in this dtype"
    ),
    "peak/byte_per_s": MetricSpec(
        "B/s", "higher", "best copy measured on this machine: bytes read plus bytes written"
    ),
    "utilisation/mfu": MetricSpec(
        "1",
        "higher",
        "FLOPs of encoder and decoder over the time of the call at the measured peak; padding counts",
    ),
    "utilisation/mfu_encoder": MetricSpec(
        "1", "higher", "the encoder's FLOPs over the time of its stage at the peak"
    ),
    "utilisation/mfu_decoder": MetricSpec(
        "1", "higher", "FLOPs of the steps after the first over their time at peak"
    ),
    "utilisation/membw": MetricSpec(
        "1",
        "neither",
        "bytes of encoder and decoder over the time of the call at copy speed; caches can take it above 1",
    ),
    "utilisation/membw_*": MetricSpec(
        "1",
        "neither",
        "the same for the encoder's stage, or the steps after the first; caches can take it above 1",
    ),
    "roofline/*_intensity": MetricSpec(
        "FLOP/B", "neither", "FLOPs per byte that operators move, at this batch size"
    ),
    "roofline/ridge": MetricSpec(
        "FLOP/B", "neither", "intensity above which the machine's FLOP/s bound, not its memory"
    ),
    "utilisation/sampler_share": MetricSpec(
        "1", "lower", "processor time of the sampling thread over its wall time"
    ),
    "utilisation/cpu_share": MetricSpec(
        "1", "neither", "mean share of the cores' time that any process used"
    ),
    "utilisation/cpu*_share": MetricSpec(
        "1", "neither", "share of one core's time that any process used"
    ),
    "utilisation/cpu_clock_hz": MetricSpec("Hz", "neither", "mean clock frequency of the cores"),
    "utilisation/temperature_c": MetricSpec("°C", "lower", "highest temperature of the processor"),
    "utilisation/gpu_share": MetricSpec(
        "1", "neither", "share of time in which some kernel ran on the GPU (NVML)"
    ),
    "utilisation/gpu_clock_hz": MetricSpec(
        "Hz", "neither", "mean clock frequency of the GPU's multiprocessors"
    ),
    "utilisation/gpu_temperature_c": MetricSpec("°C", "lower", "highest temperature of the GPU"),
    "utilisation/gpu_power_w": MetricSpec("W", "lower", "mean power of the GPU"),
    "decoder/step_s": MetricSpec("s", "lower", "time of a decoding step after the first"),
    "decoder/step_slope_s": MetricSpec(
        "s", "lower", "time that a decoding step takes more for each position"
    ),
    "decoder/ops_*_s": MetricSpec(
        "s",
        "lower",
        "self time of a class of operators in a step after the first, under the profiler; outside: the rest",
    ),
    "decoder/profiled_step_s": MetricSpec(
        "s", "neither", "time of a decoding step under the profiler, which slows it"
    ),
    "decoder/kv_token_bytes": MetricSpec(
        "B", "lower", "keys and values of one position of one utterance"
    ),
    "decoder/kv_self_bytes": MetricSpec(
        "B",
        "lower",
        "keys and values of one utterance's decoded tokens, where most were decoded; without the prompt's",
    ),
    "decoder/kv_cross_bytes": MetricSpec(
        "B", "lower", "keys and values of the encoder's output for one utterance"
    ),
    "decoder/uncached_step_s": MetricSpec(
        "s", "neither", "time of a decoding step after the first, without a cache"
    ),
    "decoder/uncached_slope_s": MetricSpec(
        "s", "neither", "time that such a step takes more for each position"
    ),
    "decoder/uncached_ratio": MetricSpec(
        "1", "neither", "time of steps without a cache over that of the same with one"
    ),
    "ops/encoder_s": MetricSpec(
        "s", "neither", "the encoder in the traced call, under torch's profiler"
    ),
    "ops/encoder_*_share": MetricSpec(
        "1", "neither", "share of the encoder's time, Python between operators included"
    ),
    "ops/*_share": MetricSpec("1", "neither", "share of operator time"),
}


@functools.lru_cache(4096)
def metric_spec(name: str) -> MetricSpec:
    """The table's row for ``name``. Raises ConfigError for a name that is not in the table."""
    if name in METRICS:
        return METRICS[name]
    for pattern, spec in METRICS.items():
        if "*" in pattern and fnmatchcase(name, pattern):
            return spec
    raise ConfigError(
        f"'{name}' is not in the table of metrics; add it to asr_scaling/core/metrics.py."
    )


def metric_row(name: str, row: Any) -> MetricRow:
    """The JSON ``row`` of the metric ``name``.

    Raises ConfigError for a name that is not in the table, TypeError for a row that is damaged or
    has another unit or direction than the table.
    """
    spec = metric_spec(name)
    try:
        found = build(MetricRow, row)
    except TypeError as error:
        raise TypeError(f"metric '{name}': {error}") from error
    for what, there, here in (
        ("unit", found.unit, spec.unit),
        ("direction", found.better, spec.better),
    ):
        if there != here:
            raise TypeError(f"the {what} of '{name}' is {shown(there)}, and here it is '{here}'")
    if (found.low is None) != (found.high is None):
        raise TypeError(f"the interval of '{name}' has one end")
    return found
