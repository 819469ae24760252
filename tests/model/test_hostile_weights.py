"""Weights from a stranger: nothing in them runs,
and whatever is wrong with them is one sentence."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.fakes import FakeDevice, make_spec
from support.hub_folders import describe

from asr_scaling.core.model_spec import ModelSpec
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import AsrScalingError, ConfigError, WeightsError
from asr_scaling.model import transformers_objects
from asr_scaling.model.weights import resolve

RAN: list[str] = []
CODE = """
from pathlib import Path
Path({ran!r}).touch()
from transformers import WhisperForConditionalGeneration, WhisperFeatureExtractor
class Evil(WhisperForConditionalGeneration): pass
class Extractor(WhisperFeatureExtractor): pass
"""


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 1}
    sizes |= {
        "decoder_attention_heads": 1,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "vocab_size": 51_864,
    }
    features = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}
    return make_spec(architecture=sizes, features=features, window_s=30.0, tokens_per_s=1.0)


@pytest.fixture
def folder(spec: ModelSpec, tmp_path: Path) -> Path:
    """A Whisper in the hub's layout, without its weights."""
    place = tmp_path / "weights"
    config = transformers_objects.configuration(spec)
    config.architectures = ["WhisperForConditionalGeneration"]
    describe(place, spec)
    config.save_pretrained(place)
    transformers_objects.feature_extractor(spec).save_pretrained(place)
    return place


def load(spec: ModelSpec, folder: Path, **options: Any) -> Any:
    return Transformers().load(
        replace(spec, path=str(folder), weights="pretrained", **options), FakeDevice()
    )


def network(spec: ModelSpec) -> Any:
    return transformers_objects.random_model(spec)


def test_a_pickle_that_would_run_code_is_refused(
    spec: ModelSpec, folder: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    torch.save({**network(spec).state_dict(), "evil": Evil(ran)}, folder / "pytorch_model.bin")
    with pytest.raises(
        WeightsError, match="are a pickle that holds more than tensors, and its code is not run"
    ):
        load(spec, folder)
    assert not ran.exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert ran.exists()  # the pickle would have done it


def test_a_pickle_of_tensors_is_read(spec: ModelSpec, folder: Path) -> None:
    torch.save(network(spec).state_dict(), folder / "pytorch_model.bin")
    loaded = transformers_objects.pretrained(
        transformers_objects.auto_class(spec), folder, spec, weights_only=True
    )
    assert torch.equal(
        loaded.state_dict()["proj_out.weight"], network(spec).state_dict()["proj_out.weight"]
    )


@pytest.mark.parametrize("what", ["a conversion", "an export"])
def test_converters_do_not_run_it_either(
    what: str, spec: ModelSpec, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asr_scaling.engine._onnx.files import exported
    from asr_scaling.engine.whisper_cpp._library import ggml_files

    pytest.importorskip("pywhispercpp" if what == "a conversion" else "onnx")
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
    ran = tmp_path / "ran"
    torch.save({**network(spec).state_dict(), "evil": Evil(ran)}, folder / "pytorch_model.bin")
    mine = replace(spec, path=str(folder))
    with pytest.raises(AsrScalingError) as caught:
        ggml_files(mine, "float16", 0) if what == "a conversion" else exported(mine, 0)
    assert "\n" not in str(caught.value)
    assert not ran.exists()


def bring_code(folder: Path, ran: Path, file: str, entry: str) -> None:
    (folder / "evil.py").write_text(CODE.format(ran=str(ran)))
    data = json.loads((folder / file).read_text())
    key = "feature_extractor_type" if entry == "AutoFeatureExtractor" else "model_type"
    data["auto_map"] = {entry: "evil.Extractor" if entry == "AutoFeatureExtractor" else "evil.Evil"}
    if entry == "AutoFeatureExtractor":
        data[key] = "Extractor"
        data.pop("processor_class", None)
    (folder / file).write_text(json.dumps(data))


@pytest.fixture
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))


@pytest.mark.usefixtures("_modules")
def test_code_beside_the_weights_runs_only_when_it_is_asked_for(
    spec: ModelSpec, folder: Path, tmp_path: Path
) -> None:
    import transformers

    ran = tmp_path / "ran"
    bring_code(folder, ran, "preprocessor_config.json", "AutoFeatureExtractor")
    with pytest.raises(
        WeightsError, match="brings code of its own, which is not run unasked"
    ) as caught:
        transformers_objects.pretrained(transformers.AutoFeatureExtractor, folder, spec)
    assert "model.trust_remote_code=true" in str(caught.value)
    assert not ran.exists()
    transformers_objects.pretrained(
        transformers.AutoFeatureExtractor, folder, replace(spec, trust_remote_code=True)
    )
    assert ran.exists()


@pytest.mark.usefixtures("_modules")
def test_a_class_that_transformers_has_is_loaded_without_the_code_beside_it(
    spec: ModelSpec, folder: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    network(spec).save_pretrained(folder)
    bring_code(folder, ran, "config.json", "AutoModelForSpeechSeq2Seq")
    loaded = transformers_objects.pretrained(
        transformers_objects.auto_class(spec), folder, spec, weights_only=True
    )
    assert type(loaded).__module__.startswith("transformers.models.whisper")
    assert not ran.exists()


@pytest.mark.parametrize("kind", ["pipeline", "AutoModel", "Trainer", "", "utils"])
def test_a_feature_extractor_is_one(spec: ModelSpec, kind: str) -> None:
    evil = replace(
        spec, features={"feature_extractor_type": kind, "task": "automatic-speech-recognition"}
    )
    with pytest.raises(ConfigError, match="is not a feature extractor of transformers"):
        transformers_objects.feature_extractor(evil)


@pytest.mark.parametrize(
    "key", ["auto_map", "attn_implementation", "trust_remote_code", "quantization_config"]
)
def test_sizes_load_no_code(spec: ModelSpec, key: str) -> None:
    with pytest.raises(ConfigError, match=f"model.architecture is for sizes: leave out {key}"):
        make_spec(architecture={key: "x"})


def test_trust_is_a_yes_or_no(spec: ModelSpec) -> None:
    assert spec.trust_remote_code is False
    with pytest.raises(
        ConfigError, match=r"model\.trust_remote_code must be true or false; got 'evil/repo'"
    ):
        make_spec(trust_remote_code="evil/repo")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 16) + b'{"x": {"a": 1}}x',
        struct.pack("<Q", 70)
        + b'{"x":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,39999999996]}}',
        struct.pack("<Q", 60) + b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}     ',
        b"",
        b"[" * 100_000,
    ],
)
def test_safetensors_that_promise_more_than_they_hold(
    spec: ModelSpec, folder: Path, content: bytes
) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(AsrScalingError, match=r"cut off or lacks a part|are damaged") as caught:
        load(spec, folder)
    assert "\n" not in str(caught.value)


def test_parts_of_weights_lie_beside_their_index(
    spec: ModelSpec, folder: Path, tmp_path: Path
) -> None:
    network(spec).save_pretrained(tmp_path / "elsewhere")
    index = {"weight_map": {"proj_out.weight": "../elsewhere/model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match="cut off or lacks a part"):
        resolve(replace(spec, path=str(folder)))
