"""A folder of weights is compared with the model that was chosen, and told in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.funasr_zoo import ZOO
from support.hub_folders import change_json, describe, toy_spec, write_json

from asr_scaling.core.model_spec import ModelSpec, load_spec
from asr_scaling.errors import WeightsError
from asr_scaling.model.folder_check import fault
from asr_scaling.model.weights import resolve

_HEADER = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
WHOLE = len(_HEADER).to_bytes(8, "little") + _HEADER + bytes(4)
"""A file of safetensors with one number."""
MODELS = [path.stem for path in ZOO]
SPECS = list(map(load_spec, MODELS))


def folder_of(place: Path, spec: ModelSpec, *, tokenizer: bool = True) -> Path:
    describe(place, spec, tokenizer=tokenizer)
    (place / "model.safetensors").write_bytes(WHOLE)
    return place


def said(folder: Path, spec: ModelSpec) -> str:
    """The sentence; it must be one."""
    with pytest.raises(WeightsError) as caught:
        resolve(replace(spec, path=str(folder)))
    text = str(caught.value)
    assert text.startswith(f"model.path '{folder}' ")
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 900
    return text


def _named(folder: Path, chosen: ModelSpec, name: str) -> bool:
    """Whether the folder is refused as ``chosen``, and said to be that of the model ``name``."""
    found = fault(folder, chosen)
    return found is not None and found.other and f"model={name}" in found.mend


class TestEveryModel:
    @pytest.mark.parametrize("name", MODELS)
    def test_its_own_folder_is_loaded(self, name: str, tmp_path: Path) -> None:
        spec = load_spec(name)
        assert fault(folder_of(tmp_path / "mine", spec), spec) is None

    @pytest.mark.parametrize("name", MODELS)
    def test_another_models_folder_is_refused_by_its_name(self, name: str, tmp_path: Path) -> None:
        folder = folder_of(tmp_path / "mine", load_spec(name), tokenizer=False)
        refused = [spec for spec in SPECS if spec.name != name and _named(folder, spec, name)]
        assert len(refused) == len(MODELS) - 1

    @pytest.mark.parametrize("name", ["whisper_tiny", "wav2vec2", "parakeet_tdt", "moonshine_tiny"])
    def test_sizes_that_transformers_leaves_out_are_its_defaults(
        self, name: str, tmp_path: Path
    ) -> None:
        from asr_scaling.model.transformers_objects import configuration

        spec = load_spec(name)
        folder = folder_of(tmp_path / "mine", spec)
        few = json.loads(configuration(spec).to_json_string(use_diff=True))
        write_json(folder / "config.json", few)
        assert fault(folder, spec) is None

    def test_defaults_are_compared_too(self, tmp_path: Path) -> None:
        folder = folder_of(tmp_path / "mine", load_spec("whisper_tiny_en"))
        write_json(folder / "config.json", {"model_type": "whisper"})  # that is whisper_tiny
        assert "vocab_size 51865, not 51864" in said(folder, load_spec("whisper_tiny_en"))


Damage = Callable[[Path], Any]


def file(name: str, **changes: Any) -> Damage:
    return lambda folder: change_json(folder / name, **changes)


def gone(*names: str) -> Damage:
    return lambda folder: [(folder / name).unlink() for name in names]


def only(name: str, content: str = "") -> Damage:
    def made(folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        (folder / name).write_text(content or "{}")

    return made


def tokens(change: Callable[[dict[str, Any]], Any]) -> Damage:
    def made(folder: Path) -> None:
        whole = json.loads((folder / "tokenizer.json").read_bytes())
        change(whole)
        write_json(folder / "tokenizer.json", whole)

    return made


def sharded(folder: Path) -> None:
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors").rename(folder / names["a"])
    write_json(folder / "model.safetensors.index.json", {"weight_map": names})


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (gone("tokenizer.json"), "has no tokenizer; a Trainer writes the tokenizer into the"),
            (gone("generation_config.json"), "has no generation_config.json"),
            (gone("preprocessor_config.json"), "has no preprocessor_config.json"),
            (gone("model.safetensors"), "has neither model.safetensors nor pytorch_model.bin"),
            (sharded, "lacks a part (model-00002-of-00002.safetensors)"),
            (only("adapter_config.json"), "LoRA adapter alone, which is no model; merge it first"),
            (only("model.bin"), "holds a conversion for CTranslate2"),
            (only("ggml-tiny.bin"), "holds a conversion for whisper.cpp"),
            (only("model.onnx"), "holds a conversion to ONNX"),
            (only("openvino_model.xml"), "holds a conversion for OpenVINO"),
            (file("config.json", quantization_config={"bits": 4}), "holds quantised weights"),
            (file("config.json", d_model=32), "other sizes than toy has (d_model 32, not 16)"),
            (file("config.json", encoder_layers=3), "set model.architecture.encoder_layers=3"),
            (file("config.json", decoder_start_token_id=5), "decoder_start_token_id 5, where toy"),
            (file("generation_config.json", eos_token_id=7), "eos_token_id 7, where toy has 256"),
            (file("generation_config.json", lang_to_id=None), "without lang_to_id, as older ones"),
            (file("generation_config.json", num_beams=5), "a search of its own (num_beams=5)"),
            (file("preprocessor_config.json", sampling_rate=8000), ""),
            (file("preprocessor_config.json", feature_size=128), "feature_size 128, not 80"),
            (tokens(lambda t: t["added_tokens"].pop()), "<|notimestamps|> is missing, not 259"),
            (tokens(lambda t: t["added_tokens"][1].update(id=9)), "<|startoftranscript|> is 9, "),
            (tokens(lambda t: t["model"]["vocab"].pop("t5")), "255 tokens of text, not 256"),
            (tokens(dict.clear), "has a tokenizer that can't be read"),
        ],
    )
    def test_of_a_whisper(self, damage: Damage, words: str, tmp_path: Path) -> None:
        folder = folder_of(tmp_path / "mine", toy_spec())
        assert fault(folder, toy_spec()) is None
        damage(folder)
        spec = toy_spec(features={**toy_spec().features, "sampling_rate": 16_000})
        assert words in said(folder, spec)

    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (
                tokens(lambda t: t["model"]["vocab"].pop("t5")),
                "1 of the weights' 32 tokens have no",
            ),
            (tokens(lambda t: t["model"]["vocab"].update(Z=40)), "1 of its tokens are none of the"),
            (
                file("config.json", vocab_size=36, pad_token_id=35),
                "model.architecture.vocab_size=36",
            ),
            (file("config.json", pad_token_id=31), "pad_token_id 31, not 0"),
            (file("preprocessor_config.json", sampling_rate=8000), "sampling_rate 8000, not 16000"),
            (file("preprocessor_config.json", do_normalize=False), "do_normalize False, not True"),
            (gone("tokenizer.json"), "has no tokenizer"),
        ],
    )
    def test_of_a_ctc_model(self, damage: Damage, words: str, tmp_path: Path) -> None:
        spec = load_spec("wav2vec2")
        folder = folder_of(tmp_path / "mine", spec)
        damage(folder)
        assert words in said(folder, spec)

    def test_the_blank_of_a_letters_file(self, tmp_path: Path) -> None:
        spec = load_spec("wav2vec2")
        folder = folder_of(tmp_path / "mine", spec)
        (folder / "tokenizer.json").unlink()
        write_json(folder / "vocab.json", {"<pad>": 31} | {f"t{i}": i for i in range(31)})
        assert fault(folder, spec) is None
        write_json(folder / "tokenizer_config.json", {"pad_token": "<pad>"})
        assert "its <pad> is 31, and the weights' 0" in said(folder, spec)

    def test_a_tokenizer_one_folder_up_is_named(self, tmp_path: Path) -> None:
        folder = folder_of(tmp_path / "run" / "checkpoint-500", toy_spec())
        above = (folder / "tokenizer.json").rename(tmp_path / "run" / "tokenizer.json")
        assert f"('{above}' is there)" in said(folder, toy_spec())

    def test_letters_without_their_merges_are_no_tokenizer(self, tmp_path: Path) -> None:
        folder = folder_of(tmp_path / "mine", toy_spec())
        (folder / "tokenizer.json").rename(folder / "vocab.json")
        assert "has no tokenizer" in said(folder, toy_spec())

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("ggml-tiny.bin", "is a conversion for whisper.cpp, not a folder"),
            ("tiny.pt", "is a checkpoint of PyTorch, not a folder"),
            ("model.safetensors", "is a file, not a folder"),
        ],
    )
    def test_a_file_is_no_folder(self, name: str, words: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(WHOLE)
        assert words in said(tmp_path / name, toy_spec())

    def test_the_folder_below_is_named(self, tmp_path: Path) -> None:
        below = folder_of(tmp_path / "run" / "final", toy_spec())
        assert f"perhaps '{below}' is meant" in said(tmp_path / "run", toy_spec())


def test_settings_in_one_file_with_the_tokenizers_are_read(tmp_path: Path) -> None:
    """As transformers 5 saves a processor."""
    folder = folder_of(tmp_path / "mine", toy_spec())
    own = json.loads((folder / "preprocessor_config.json").read_bytes())
    (folder / "preprocessor_config.json").unlink()
    write_json(folder / "processor_config.json", {"feature_extractor": own})
    assert fault(folder, toy_spec()) is None
    write_json(folder / "processor_config.json", {"feature_extractor": {**own, "feature_size": 1}})
    assert "feature_size 1, not 80" in said(folder, toy_spec())
