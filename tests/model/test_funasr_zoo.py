"""FunASR's networks in the sizes that this package states."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from support.funasr_zoo import FUNASR_ZOO
from support.small_funasr import needs_funasr

from asr_scaling.core.language import language_code
from asr_scaling.core.model_spec import load_spec
from asr_scaling.errors import ConfigError
from asr_scaling.model.funasr_layouts import (
    CAMPPLUS,
    CT_PUNC,
    FAMILIES,
    FSMN_VAD,
    Layout,
    layout_of,
)
from asr_scaling.model.funasr_package import package


def parameters(layout: Layout) -> int:
    """Of FunASR's class, built without memory."""
    package()
    tables: Any = importlib.import_module("funasr.register").tables
    options = {**layout.config, **layout.config["model_conf"], "vocab_size": layout.vocabulary}
    frontend = layout.config.get("frontend_conf", {})
    options["input_size"] = frontend.get("n_mels", 80) * frontend.get("lfr_m", 1)
    with torch.device("meta"):
        network = tables.model_classes[layout.network](**options)
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("name", FUNASR_ZOO)
class TestEveryModel:
    def test_yaml(self, name: str):
        spec = load_spec(name)
        assert spec.name == name
        assert spec.family in FAMILIES
        assert all(map(language_code, spec.languages))
        assert spec.multilingual
        assert spec.licence == "FunASR Model License"
        assert spec.features["fs"] == 16000
        assert layout_of(spec).frame_s == pytest.approx(0.06)

    @needs_funasr
    def test_sizes_give_the_parameters(self, name: str):
        spec = load_spec(name)
        assert parameters(layout_of(spec)) == spec.parameters

    def test_published_count(self, name: str):
        spec = load_spec(name)
        if not spec.published:
            pytest.skip("its authors print no count of all of it")
        number, unit = spec.published.split()
        assert unit == "M"
        assert spec.parameters == pytest.approx(float(number) * 1e6, rel=0.05)


@needs_funasr
@pytest.mark.parametrize(
    ("layout", "published", "share"),
    [(FSMN_VAD, 0.4e6, 0.1), (CT_PUNC, 290e6, 0.05), (CAMPPLUS, 7.2e6, 0.06)],
)
def test_modules_have_the_published_sizes(layout: Layout, published: float, share: float):
    """As the package's README counts them."""
    assert parameters(layout) == pytest.approx(published, rel=share)


def test_the_file_of_ct_punc():
    """Its weights in 4 bytes each are as large as the published file, 1073.6 MiB."""
    encoder = CT_PUNC.config["encoder_conf"]
    width, inner = encoder["output_size"], encoder["linear_units"]
    attention = width * 3 * width + 3 * width + width * width + width
    memory = width * encoder["kernel_size"]
    block = attention + memory + 2 * width * inner + inner + width + 4 * width
    marks = len(CT_PUNC.config["model_conf"]["punc_list"])
    whole = CT_PUNC.vocabulary * width + encoder["num_blocks"] * block + 2 * width
    whole += width * marks + marks
    assert whole * 4 / 2**20 == pytest.approx(1073.6, abs=1)


def test_a_yaml_without_a_part():
    spec = load_spec("paraformer_zh")
    sizes = {key: value for key, value in spec.architecture.items() if key != "vocab_size"}
    with pytest.raises(ConfigError, match="needs vocab_size"):
        layout_of(load_spec("paraformer_zh", architecture=sizes))
