"""The table of metrics: every figure that was asked for is there, with its unit and direction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_scaling.core.metrics import METRICS, metric_spec
from asr_scaling.errors import ConfigError

ASKED = {
    **{f"latency/{name}_s": ("s", "lower") for name in ("mean", "p50", "p90", "p95", "p99")},
    **{f"latency_per_utterance/{name}_s": ("s", "lower") for name in ("mean", "p50", "p99")},
    "latency/first_token_s": ("s", "lower"),
    "latency/per_token_s": ("s", "lower"),
    **{
        f"stage/{name}_s": ("s", "lower")
        for name in ("features", "encoder", "decoder", "text", "other")
    },
    "throughput/rtfx": ("1", "higher"),
    "throughput/samples_per_s": ("1/s", "higher"),
    "memory/peak_rss_bytes": ("B", "lower"),
    "memory/peak_device_bytes": ("B", "lower"),
    "memory/weights_bytes": ("B", "lower"),
    "energy/total_j": ("J", "lower"),
    "energy/per_sample_j": ("J", "lower"),
    "energy/per_audio_second_j": ("J/s", "lower"),
    "quality/wer": ("1", "lower"),
    "quality/cer": ("1", "lower"),
    **{
        f"turns/{name}": ("1", "lower")
        for name in (
            "vad_miss_share",
            "vad_false_alarm_share",
            "der",
            "der_miss",
            "der_false_alarm",
            "der_confusion",
            "der_collar",
            "speaker_count_error",
            "cpwer",
        )
    },
    **{f"turns/{name}_f1": ("1", "higher") for name in ("punctuation", "case")},
    "turns/overlap_share": ("1", "neither"),
    "flops/encoder": ("FLOP", "lower"),
    "flops/decoder_step": ("FLOP", "lower"),
    "flops/utterance": ("FLOP", "lower"),
    "flops/encoder_thop": ("FLOP", "neither"),
    **{
        f"ops/{name}_share": ("1", "neither")
        for name in ("attention", "gemm", "convolution", "memory", "other")
    },
}


@pytest.mark.parametrize(("name", "expected"), ASKED.items())
def test_every_metric_asked_for_is_there(name: str, expected: tuple[str, str]):
    spec = metric_spec(name)
    assert (spec.unit, spec.better) == expected


@pytest.mark.parametrize("name", METRICS)
def test_units_stand_in_the_names(name: str):
    spec = METRICS[name]
    assert spec.meaning
    ending = {"B": "_bytes", "J": "_j", "s": "_s", "1/s": "_per_s", "W": "_w"}.get(spec.unit)
    assert ending is None or name.endswith(ending) or name.startswith(f"{ending[1:]}/")


@given(st.text())
def test_an_unknown_name_is_refused(text: str):
    with pytest.raises(ConfigError, match="not in the table"):
        metric_spec(f"unknown/{text}")


def test_an_exact_name_wins_over_a_pattern():
    assert metric_spec("quality/wer").better == "lower"
    assert metric_spec("quality/words").better == "neither"
