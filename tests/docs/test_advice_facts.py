"""What advice promises rests on committed results: its facts are computed from them again."""

from __future__ import annotations

import importlib.util
import json
import math
import statistics
from pathlib import Path
from types import ModuleType

import pytest

from asr_scaling.analysis.bottlenecks.measured_effects import EFFECTS

ROOT = Path(__file__).parents[2]
HEAP = ROOT / "docs/results/amd-epyc-2-cores/why-processes-differ-kept-heap.jsonl"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("advice", ROOT / "benchmarks" / "advice.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_facts_are_those_of_the_committed_records(benchmark: ModuleType) -> None:
    found = benchmark.effects()
    assert found == {key: row for key, row in EFFECTS.items() if key in found}
    assert {key[0] for key in EFFECTS.keys() - found.keys()} == {"keep_heap"}


@pytest.mark.parametrize("engine", ["transformers", "faster_whisper"])
def test_facts_of_a_kept_heap_are_those_of_the_processes_that_kept_it(engine: str) -> None:
    """For a million page faults a second: the median call of each utterance, kept over not."""
    calls: dict[tuple[bool, int], list[dict[str, float]]] = {}
    for row in map(json.loads, HEAP.read_text("utf-8").splitlines()):
        if row["kind"] == "turn" and row["system"] == engine:
            for call in row["calls"]:
                calls.setdefault(("kept_heap" in row["on"], call["utterance"]), []).append(call)
    logs = []
    for utterance in range(5):
        plain, kept = calls[False, utterance], calls[True, utterance]
        plain_s = statistics.median(call["s"] for call in plain)
        faults_per_s = statistics.fmean(call["faults"] for call in plain) / plain_s
        left = statistics.median(call["s"] for call in kept) / plain_s
        logs.append(math.log(left) / (faults_per_s / 1e6))
    mean, spread, pairs = EFFECTS["keep_heap", engine, "whisper", "avx512_bf16"]["every stage"]
    assert (mean, spread, pairs) == (
        pytest.approx(statistics.fmean(logs), abs=0.01),
        pytest.approx(statistics.stdev(logs), abs=0.01),
        len(logs),
    )
