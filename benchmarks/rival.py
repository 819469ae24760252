"""The same forward passes by optimum-benchmark and this package: median times, time of a sweep.

    python -m venv rival
    rival/bin/pip install optimum-benchmark==0.6.0 'transformers<5' 'datasets<5' torch
    python benchmarks/rival.py rival/bin/python

The sweep is 2 × 2: whisper_tiny and wav2vec2 with random weights × batch 1 and 4; 2 calls to warm
up and 5 timed ones; latency and memory. optimum-benchmark has no speech recognition to choose, so
it runs the forward pass of its audio classification, that is the encoder and one small layer, on
features of 30 s and on 5 s of samples; ours transcribes 5 s of speech, decoder included, and the
stage "encoder" is what is compared. Neither logs to MLflow, both begin with a new Python, and which
comes first alternates.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from asr_scaling.core.model_spec import load_spec
from asr_scaling.model.transformers_objects import feature_extractor, random_model
from asr_scaling.records.read import readable_records

MODELS, BATCHES, CALLS, WARMUP = ("whisper_tiny", "wav2vec2"), (1, 4), 5, 2
RIVAL = """
import json, sys
from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, \
ProcessConfig, PyTorchConfig
from optimum_benchmark.generators.model_generator import MODEL_TYPE_TO_GENERATORS
from optimum_benchmark.generators.task_generator import AudioGenerator


class Features(AudioGenerator):
    def __call__(self):
        return {"input_features": self.input_features()}


class Samples(AudioGenerator):
    def __call__(self):
        return {"input_values": self.input_values()}


MODEL_TYPE_TO_GENERATORS.update(whisper=Features, wav2vec2=Samples)\
  # in the processes it starts too

if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    found = {}
    for model, folder in wanted["models"].items():
        for size in wanted["batches"]:
            shapes = {"batch_size": size, "sequence_length": wanted["samples"], "feature_size": 80}
            scenario = InferenceConfig(
                memory=True, latency=True, warmup_runs=wanted["warmup"], \
iterations=wanted["calls"], duration=0,
                input_shapes={**shapes, "nb_max_frames": 3000},
            )
            backend = PyTorchConfig(
                model=folder, task="audio-classification", library="transformers", device="cpu",
                model_type="whisper" if "whisper" in model else "wav2vec2",
            )
            config = BenchmarkConfig(name=model, launcher=ProcessConfig(), \
scenario=scenario, backend=backend)
            found[f"{model} {size}"] = Benchmark.launch(config).forward.latency.values
    with open("found.json", "w") as file:  # standard output has words of its own
        json.dump(found, file)
"""


def theirs(python: str, folder: Path, seconds: int) -> tuple[dict[str, float], float]:
    """Median seconds of a forward pass for each point, and seconds of wall time."""
    script = folder / "rival.py"
    script.write_text(RIVAL)
    models = {name: str(folder / name) for name in MODELS}
    wanted = {
        "models": models,
        "batches": BATCHES,
        "samples": seconds * 16_000,
        "warmup": WARMUP,
        "calls": CALLS,
    }
    start = time.perf_counter()
    done = subprocess.run(
        [python, str(script), json.dumps(wanted)],
        cwd=folder,
        env=_offline(),
        capture_output=True,
        text=True,
        check=False,
    )
    wall_s = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"optimum-benchmark failed:\n{done.stderr[-3000:]}")
    found = json.loads((folder / "found.json").read_text())
    return {point: statistics.median(values) for point, values in found.items()}, wall_s


def ours(seconds: int) -> tuple[dict[str, float], float]:
    """The same, of the encoder."""
    sizes, models = ",".join(map(str, BATCHES)), ",".join(MODELS)
    options = (
        f"model={models}",
        f"batch={sizes}",
        "profiler=[latency,memory]",
        f"dataset.length_s={seconds}",
        f"pipeline.warmup={WARMUP}",
        f"pipeline.min_iterations={CALLS}",
        "pipeline.precision=null",
        f"pipeline.utterances={max(BATCHES)}",
        "pipeline.warmup_seconds=0",
        "model.weights=random",
        "sweep.selftest=false",
        "tracking=jsonl",
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "asr_scaling", "-m", *options],
            cwd=folder,
            env=_offline(),
            capture_output=True,
            check=True,
        )
        wall_s = time.perf_counter() - start
        records = readable_records(Path(folder) / "multirun", [])
    found = {}
    for record in records:
        size = record.config["batch"]["size"]
        times = [sample.stages["encoder"] for sample in record.samples]
        found[f"{record.config['model']['name']} {size}"] = statistics.median(times)
    return found, wall_s


def _offline() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1"}


def main(arguments: Sequence[str]) -> int:
    """Run both in rounds and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("python", help="of the environment with optimum-benchmark")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of speech in an utterance")
    chosen = parser.parse_args(arguments)
    rounds: list[dict[str, tuple[dict[str, float], float]]] = []
    seconds = chosen.seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in MODELS:
            spec = load_spec(model, weights="random")
            network: Any = random_model(spec, 42)
            network.save_pretrained(folder / model)
            feature_extractor(spec).save_pretrained(folder / model)
        python = str(Path(chosen.python).absolute())
        for k in range(chosen.rounds):
            order = ("theirs", "ours") if k % 2 else ("ours", "theirs")
            rounds.append(
                {
                    who: ours(seconds) if who == "ours" else theirs(python, folder, seconds)
                    for who in order
                }
            )
    table = Table(
        "what",
        "optimum-benchmark",
        "asr_scaling",
        "ratio",
        "each round",
        title=f"{seconds} s of speech, rounds: {chosen.rounds}",
    )
    for point in rounds[0]["ours"][0]:
        _row(
            table,
            f"encoder of {point}, ms",
            *(([1000 * r[who][0][point] for r in rounds]) for who in ("theirs", "ours")),
        )
    _row(table, "the 2 × 2 sweep, s", *([r[who][1] for r in rounds] for who in ("theirs", "ours")))
    Console(width=140).print(table)
    return 0


def _row(table: Table, what: str, rival: Sequence[float], own: Sequence[float]) -> None:
    ratios = sorted(b / a for a, b in zip(rival, own, strict=True))
    middle = statistics.median
    table.add_row(
        what,
        f"{middle(rival):.1f}",
        f"{middle(own):.1f}",
        f"{middle(ratios):.2f}",
        " ".join(f"{r:.2f}" for r in ratios),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
