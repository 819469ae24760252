"""A CTC model with trained weights, through the library and the command line,
transcribes without an error."""

from __future__ import annotations

import json
import os
import re
import shutil
from itertools import groupby
from pathlib import Path

import pytest
import yaml
from support.warm import run_warm

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.core.ports import NullProbe, SystemSpec
from asr_scaling.core.record import RunRecord
from asr_scaling.core.workload import AudioBatch
from asr_scaling.dataset.folder import Folder
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.transformers import Transformers
from asr_scaling.measure.job import Job, run
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "asr_scaling" / "dataset" / "demo_data"
TINY = ROOT / "tests" / "data" / "tiny_ctc"
IDS = json.loads((TINY / "ids.json").read_text(encoding="utf-8"))
DOUBLED = {"MEETING", "TOMORROW", "LETTER", "COFFEE", "SEEN", "HAPPENS", "BATTERY"}

MODEL_YAML = f"""\
name: tiny_ctc
hub_id: nobody/tiny_ctc
revision: main
licence: Apache-2.0
family: ctc
model_type: wav2vec2
parameters: 378240
architecture:
  vocab_size: 32
  hidden_size: 128
  num_hidden_layers: 2
  num_attention_heads: 4
  intermediate_size: 256
  conv_dim: [64, 64, 64, 64, 64, 64, 64]
  conv_bias: true
  feat_extract_norm: layer
  do_stable_layer_norm: true
  num_conv_pos_embeddings: 32
  mask_time_prob: 0.0
features:
  feature_extractor_type: Wav2Vec2FeatureExtractor
  return_attention_mask: true
weights: pretrained
path: {json.dumps(str(TINY))}
"""


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """The utterances that the model knows, as a folder dataset."""
    folder = tmp_path / "speech"
    folder.mkdir()
    lines = (DEMO / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    known = [row for row in map(json.loads, lines) if row["id"] in IDS]
    for row in known:
        shutil.copy(DEMO / row["audio"], folder)
    (folder / "manifest.jsonl").write_text(
        "\n".join(map(json.dumps, known)) + "\n", encoding="utf-8"
    )
    return folder


def spec(**changes: object) -> ModelSpec:
    return ModelSpec(**{**yaml.safe_load(MODEL_YAML), **changes})


def letters(reference: str) -> str:
    """What the model should say: no punctuation, upper case."""
    return re.sub(r"[^A-Z' ]", "", reference.upper())


def doubled(text: str) -> set[str]:
    """Words with the same letter twice in a row."""
    return {word for word in text.split() if re.search(r"(.)\1", word)}


def assert_exact(record: RunRecord) -> None:
    assert record.status == "ok", record.reason
    values = {metric.name: metric.value for metric in record.metrics}
    assert values["quality/wer"] == 0
    assert values["quality/cer"] == 0
    assert {row["id"] for row in record.transcripts} == set(IDS)
    hypotheses = [row["hypothesis"] for row in record.transcripts]
    assert hypotheses == [letters(row["reference"]) for row in record.transcripts]
    assert doubled(" ".join(hypotheses)) == DOUBLED
    facts = record.system["facts"]
    assert (facts["weights"], facts["weights_source"]) == ("pretrained", f"path {TINY}")


@pytest.mark.parametrize("size", [1, len(IDS)])
def test_no_error_alone_or_padded(speech: Path, size: int) -> None:
    job = Job(
        SystemSpec(spec(), Transformers(), Cpu(), Fixed(size)),
        dataset=Folder(path=str(speech)),
        profiler={"latency": Latency(), "quality": Quality()},
        pipeline=Pipeline(warmup=0, min_iterations=1, precision=None),
    )
    record = run(job)
    assert_exact(record)
    assert {len(sample.utterances) for sample in record.samples} == {size}
    assert record.system["facts"]["parameters"] == job.system.model.parameters


def test_the_yaml_describes_these_weights() -> None:
    """So that ``weights=random`` would measure a model of the same shape."""
    facts = Transformers().load(spec(weights="random"), Cpu()).facts
    assert (facts.weights, facts.parameters) == ("random", spec().parameters)


def test_double_letters_hang_on_the_order_of_collapsing(speech: Path) -> None:
    """Repeats, then blanks: COFFEE. Blanks, then repeats: COFE."""
    system = Transformers().load(spec(), Cpu())
    seen = []
    system.modules["model"].register_forward_hook(
        lambda _module, _args, output: seen.append(output.logits)
    )
    vocabulary = json.loads((TINY / "vocab.json").read_text(encoding="utf-8"))
    letter = {number: " " if token == "|" else token for token, number in vocabulary.items()}
    blank = vocabulary["<pad>"]
    wrong = set()
    for utterance in Folder(path=str(speech)).load(None).utterances:
        (text,) = system.transcribe(AudioBatch((utterance,)), NullProbe()).texts
        frames = seen.pop()[0].argmax(-1).tolist()
        repeats_first = [token for token, _ in groupby(frames) if token != blank]
        blanks_first = [token for token, _ in groupby(token for token in frames if token != blank)]
        assert (
            "".join(map(letter.__getitem__, repeats_first)).strip()
            == text
            == letters(utterance.reference)
        )
        wrong |= set("".join(map(letter.__getitem__, blanks_first)).split())
    assert {"METING", "TOMOROW", "LETER", "COFE", "SEN", "HAPENS", "BATERY"} <= wrong
    assert not wrong & DOUBLED


def test_a_new_model_is_one_yaml(tmp_path: Path, speech: Path) -> None:
    """From the command line, in an empty folder, with nothing but the model's YAML added."""
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "tiny_ctc.yaml").write_text(MODEL_YAML, encoding="utf-8")
    arguments = [
        "--config-dir",
        "mine",
        "model=tiny_ctc",
        "dataset=folder",
        f"dataset.path={speech}",
    ]
    arguments += [
        "profiler=[latency,quality]",
        "tracking=jsonl",
        "hydra.run.dir=point",
        "sweep.selftest=false",
    ]
    env = {**os.environ, "ASR_SCALING_CACHE": str(tmp_path / "cache")}
    done = run_warm(tmp_path, "asr_scaling", arguments, env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_exact(RunRecord.read(tmp_path / "point" / "record.json"))
    assert len((tmp_path / "records.jsonl").read_text(encoding="utf-8").splitlines()) == 1
