"""The rows of the table of metrics that requests under load have: name → unit and meaning."""

from __future__ import annotations

from asr_scaling.core.metric_spec import MetricSpec, higher, lower, neither

LOST_SHARES = tuple(f"load/{status}_share" for status in ("failed", "refused", "timed_out"))
"""Of the requests without a text, by the status of their replies."""
LOAD_METRICS: dict[str, MetricSpec] = {
    "load/offered_per_s": neither("1/s", "requests a second that were due"),
    "load/served_per_s": higher("1/s", "requests a second that were answered with a text"),
    "load/rtfx": higher("1", "audio seconds answered per wall second under this load"),
    **{
        f"load/latency_{name}_s": lower("s", f"{meaning} of the time from when a request was due")
        for name, meaning in (
            ("mean", "mean"),
            ("p50", "median"),
            ("p90", "90th percentile"),
            ("p95", "95th percentile"),
            ("p99", "99th percentile"),
            ("max", "longest"),
        )
    },
    "load/queue_wait_p50_s": lower("s", "median time from when a request was due to its call"),
    "load/queue_wait_p99_s": lower("s", "99th percentile of the same time"),
    "load/batch_mean": neither("1", "mean number of requests in the call that answered one"),
    "load/late_share": lower("1", "share of the requests whose answer came later than the bound"),
    "load/failed_share": lower("1", "share of the requests that failed"),
    "load/refused_share": lower("1", "share of the requests that were turned away at once"),
    "load/timed_out_share": lower("1", "share of the requests that got no answer in time"),
    "load/wer": lower("1", "WER of the texts answered under this load"),
    "load/wer_unloaded": lower("1", "WER of the texts of the same utterances, called one by one"),
    "load/changed_share": lower(
        "1", "share of the answers whose text is another one than that of the same utterance alone"
    ),
    "load/cpu_share": neither("1", "mean share of the cores' time that any process used"),
    "load/gpu_share": neither("1", "share of time in which some kernel ran on the GPU (NVML)"),
    "load/power_w": lower("W", "mean power under this load, idle moments included"),
    "load/energy_per_request_j": lower("J", "energy per answered request, idle moments included"),
    "load/energy_per_audio_hour_j": lower(
        "J/h", "energy per hour of answered audio, idle moments included"
    ),
    "load/backlog_slope_per_s": lower("1/s", "requests by which the backlog grew in a second"),
    "load/generator_late_p50_s": lower("s", "median time that requests were sent after their due"),
    "load/generator_late_p99_s": lower("s", "99th percentile of the same time"),
    "load/generator_late_max_s": lower("s", "longest such time"),
    "capacity/rate_per_s": higher("1/s", "highest rate of requests at which the bound is kept"),
    "capacity/rtfx": higher("1", "audio seconds a second that this rate means"),
    "capacity/loads": neither("1", "loads that were tried for it"),
}
"""Name, or pattern of names with "*" → what the number means."""
