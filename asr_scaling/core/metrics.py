"""The table of metrics: name → unit, direction and meaning."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase

from asr_scaling.core.cascade_metrics import CASCADE_METRICS
from asr_scaling.core.load_metrics import LOAD_METRICS
from asr_scaling.core.metric_spec import MetricSpec
from asr_scaling.core.metric_spec import higher as _higher
from asr_scaling.core.metric_spec import lower as _lower
from asr_scaling.core.metric_spec import neither as _neither
from asr_scaling.errors import ConfigError

METRICS: dict[str, MetricSpec] = {
    "latency/mean_s": _lower("s", "mean time of one call, samples in memory to text out"),
    "latency/p50_s": _lower("s", "median time of one call"),
    "latency/p90_s": _lower("s", "90th percentile of the time of one call"),
    "latency/p95_s": _lower("s", "95th percentile of the time of one call"),
    "latency/p99_s": _lower("s", "99th percentile of the time of one call"),
    "latency/p99_over_p50": _lower("1", "tail amplification: 99th percentile over median"),
    "latency/p50_precision": _lower("1", "half width of the median's interval over the median"),
    "latency/first_token_s": _lower(
        "s", "median over calls of the time to the first decoded token"
    ),
    "latency/per_token_s": _lower(
        "s", "median over calls of the mean time per decoding step after the first"
    ),
    "latency_per_utterance/*_s": _lower("s", "time of one call divided by its batch size"),
    "stage/*_s": _lower("s", "mean time one call spends in the stage"),
    "throughput/rtfx": _higher("1", "audio seconds transcribed per wall second"),
    "throughput/rtfx_without_looping": _neither(
        "1", "throughput/rtfx of the timed calls in which no hypothesis loops"
    ),
    "throughput/samples_per_s": _higher("1/s", "utterances transcribed per wall second"),
    "usual/latency/mean_s": _lower("s", "latency/mean_s at the machine's usual state"),
    "usual/latency/p50_s": _lower("s", "latency/p50_s at the machine's usual state"),
    "usual/throughput/rtfx": _higher("1", "throughput/rtfx at the machine's usual state"),
    "usual/explained_share": _neither(
        "1",
        "share of the variance between earlier processes, or of one record's calls, that the "
        "machine's state explains where it was held out",
    ),
    "startup/load_s": _lower("s", "time to load the model onto the device"),
    "startup/first_call_s": _lower("s", "time of the very first call, before any warm-up"),
    "startup/warmup_s": _lower("s", "time of all calls before the timed ones"),
    "startup/compile_s": _lower("s", "time that compiling took, in the first calls"),
    "workload/audio_s": _neither("s", "distinct audio given to the system, over all passes"),
    "workload/processed_audio_s": _neither("s", "distinct audio the system really processed"),
    "workload/iterations": _neither("1", "calls in the timed pass"),
    "workload/warmup_iterations": _neither("1", "calls before the timed pass"),
    "workload/repeated_utterances": _neither(
        "1", "utterances whose call was repeated and texts compared"
    ),
    "workload/decoded_again_share": _lower(
        "1",
        "share of the timed calls' utterances decoded more than once, because a hypothesis failed",
    ),
    "decoding/redecoded_share": _lower(
        "1", "share of distinct utterances decoded more than once in their first call"
    ),
    "decoding/per_utterance": _lower("1", "decodings of a distinct utterance in its first call"),
    "decoding/highest_temperature": _neither("1", "highest temperature at which a text was kept"),
    "workload/tokens_per_s": _neither("1/s", "decoded tokens per second of audio"),
    "noise/latency_floor": _lower(
        "1", "smallest relative difference of latency that is not noise (A/A)"
    ),
    "noise/steal_share": _lower("1", "share of the cores' time that the hypervisor gave to others"),
    "noise/others_share": _lower("1", "share of the cores' time that other processes used"),
    "noise/frequency_change": _lower(
        "1", "relative change of the clock frequency over the timed pass"
    ),
    "noise/page_faults_per_s": _lower(
        "1/s",
        "page faults of this process, not of a server or program that it calls, in a second of the "
        "timed pass",
    ),
    "batch/largest": _higher("1", "largest batch that fits, as found by batch=max"),
    "memory/peak_rss_bytes": _lower(
        "B", "peak resident memory of a process that has only this system in it"
    ),
    "memory/libraries_rss_bytes": _lower("B", "of that peak: Python and imported packages"),
    "memory/weights_rss_bytes": _lower("B", "of that peak: what loading added"),
    "memory/kept_rss_bytes": _lower("B", "of that peak: what calls leave with the process"),
    "memory/activations_rss_bytes": _lower("B", "of that peak: what calls use and give back"),
    "memory/loading_rss_bytes": _lower(
        "B", "of that peak: what loading needs beyond what calls need, for a moment"
    ),
    "memory/mapped_rss_bytes": _neither(
        "B", "resident pages of files after the calls, which the kernel can drop and read again"
    ),
    "memory/peak_device_bytes": _lower("B", "peak memory allocated on the accelerator"),
    "memory/process_device_bytes": _lower(
        "B", "accelerator memory that such a process holds after the calls, its context included"
    ),
    "memory/weights_bytes": _lower("B", "bytes of parameters and buffers"),
    "memory/activations_bytes": _lower(
        "B", "peak on the accelerator minus weights; old records have it of the process too"
    ),
    "memory/peak_above_idle_bytes": _lower(
        "B", "peak resident memory above the measuring process before loading; old records have it"
    ),
    "memory/idle_rss_bytes": _neither(
        "B", "resident memory of the measuring process before loading; old records have it"
    ),
    "energy/total_j": _lower(
        "J", "energy of all windows, of the components that energy/method speaks of"
    ),
    "energy/window_s": _neither("s", "mean length of a window"),
    "energy/windows": _neither("1", "windows: counter readings with whole calls between them"),
    "energy/ticks": _neither("1", "fewest ticks of the slowest counter in a window"),
    "energy/per_sample_j": _lower("J", "energy per utterance, the idle machine's share included"),
    "energy/per_audio_second_j": _lower(
        "J/s", "energy per second of audio, the idle machine's share included"
    ),
    "energy/power_w": _lower("W", "mean power over the windows"),
    "energy/idle_power_w": _neither("W", "power of the idle machine before the model was loaded"),
    "energy/net_per_sample_j": _lower("J", "energy per utterance above the idle machine's"),
    "energy/net_per_audio_second_j": _lower(
        "J/s", "energy per second of audio above the idle machine's"
    ),
    "energy/cpu_j": _neither("J", "the processor's energy in all windows"),
    "energy/memory_j": _neither("J", "the memory's energy in all windows"),
    "energy/gpu_j": _neither("J", "the GPU board's energy in all windows"),
    "quality/wer": _lower("1", "word errors over reference words, summed over utterances"),
    "quality/cer": _lower(
        "1", "character errors over reference characters, summed over utterances"
    ),
    "quality/looping_share": _lower("1", "share of utterances whose hypothesis loops"),
    "quality/wer_without_looping": _neither(
        "1", "WER of the utterances whose hypothesis does not loop"
    ),
    "quality/invented_words_per_hour": _lower(
        "1/h", "words in hypotheses of audio whose reference is empty, per hour of that audio"
    ),
    "quality/*": _neither("1", "count behind WER and CER"),
    **CASCADE_METRICS,
    **LOAD_METRICS,
    "flops/encoder": _lower("FLOP", "encoder, attention counted, per utterance"),
    "flops/decoder_step": _lower("FLOP", "one decoding step of one utterance, projection counted"),
    "flops/decoder_first": _lower(
        "FLOP",
        "first decoding step of one utterance: prompt and projection of the encoder's output, once",
    ),
    "flops/utterance": _lower("FLOP", "everything on the device for one utterance"),
    "flops/encoder_thop": _neither(
        "FLOP", "encoder by thop's modules × 2: attention's matmuls missing"
    ),
    "flops/audio_s": _neither("s", "duration of the utterance the FLOPs belong to"),
    "bytes/encoder": _lower(
        "B", "bytes its operators read and write for one utterance; caches not considered"
    ),
    "bytes/decoder_first": _lower(
        "B", "the same for the first decoding step, which projects the encoder's output"
    ),
    "bytes/decoder_step": _lower("B", "the same for one decoding step after the first"),
    "bytes/*_weights": _lower(
        "B", "of these, bytes of weights: read once a call, whatever the batch"
    ),
    "peak/flop_per_s": _higher(
        "FLOP/s", "best matrix product measured on this machine in this dtype"
    ),
    "peak/byte_per_s": _higher(
        "B/s", "best copy measured on this machine: bytes read plus bytes written"
    ),
    "utilisation/mfu": _higher(
        "1",
        "FLOPs of encoder and decoder over the time of the call at the measured peak; "
        "padding counts",
    ),
    "utilisation/mfu_encoder": _higher(
        "1", "the encoder's FLOPs over the time of its stage at the peak"
    ),
    "utilisation/mfu_decoder": _higher(
        "1", "FLOPs of the steps after the first over their time at peak"
    ),
    "utilisation/membw": _neither(
        "1",
        "bytes of encoder and decoder over the time of the call at copy speed; caches can "
        "take it above 1",
    ),
    "utilisation/membw_*": _neither(
        "1",
        "the same for the encoder's stage, or the steps after the first; caches can take "
        "it above 1",
    ),
    "roofline/*_intensity": _neither(
        "FLOP/B", "FLOPs per byte that operators move, at this batch size"
    ),
    "roofline/ridge": _neither(
        "FLOP/B", "intensity above which the machine's FLOP/s bound, not its memory"
    ),
    "utilisation/sampler_share": _lower(
        "1", "processor time of the sampling thread over its wall time"
    ),
    "utilisation/cpu_share": _neither("1", "mean share of the cores' time that any process used"),
    "utilisation/cpu*_share": _neither("1", "share of one core's time that any process used"),
    "utilisation/cpu_clock_hz": _neither("Hz", "mean clock frequency of the cores"),
    "utilisation/temperature_c": _lower("°C", "highest temperature of the processor"),
    "utilisation/gpu_share": _neither(
        "1", "share of time in which some kernel ran on the GPU (NVML)"
    ),
    "utilisation/gpu_clock_hz": _neither("Hz", "mean clock frequency of the GPU's multiprocessors"),
    "utilisation/gpu_temperature_c": _lower("°C", "highest temperature of the GPU"),
    "utilisation/gpu_power_w": _lower("W", "mean power of the GPU"),
    "decoder/step_s": _lower("s", "time of a decoding step after the first"),
    "decoder/step_slope_s": _lower("s", "time that a decoding step takes more for each position"),
    "decoder/ops_*_s": _lower(
        "s",
        "self time of a class of operators in a step after the first, under the profiler; "
        "outside: the rest",
    ),
    "decoder/profiled_step_s": _neither(
        "s", "time of a decoding step under the profiler, which slows it"
    ),
    "decoder/kv_token_bytes": _lower("B", "keys and values of one position of one utterance"),
    "decoder/kv_self_bytes": _lower(
        "B",
        "keys and values of one utterance's decoded tokens, where most were decoded; "
        "without the prompt's",
    ),
    "decoder/kv_cross_bytes": _lower(
        "B", "keys and values of the encoder's output for one utterance"
    ),
    "decoder/uncached_step_s": _neither(
        "s", "time of a decoding step after the first, without a cache"
    ),
    "decoder/uncached_slope_s": _neither("s", "time that such a step takes more for each position"),
    "decoder/uncached_ratio": _neither(
        "1", "time of steps without a cache over that of the same with one"
    ),
    "ops/encoder_s": _neither("s", "the encoder in the traced call, under torch's profiler"),
    "ops/encoder_*_share": _neither(
        "1", "share of the encoder's time, Python between operators included"
    ),
    "ops/*_share": _neither("1", "share of operator time"),
}
"""Name, or pattern of names with "*" → what the number means."""


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
