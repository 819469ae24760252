"""Whatever the files beside some weights hold: a folder that fits, or one sentence."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from support.fuzzing import cases, changed, sentence, to_bytes
from support.hub_folders import describe, toy_spec
from transformers import AutoConfig

from asr_scaling.errors import WeightsError
from asr_scaling.model.folder_check import fault

FILES = ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json")
AutoConfig.for_model("whisper")  # imports torch, before the watchdog looks
_HEADER = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'


@functools.cache
def whole() -> dict[str, Any]:
    """File → what it holds."""
    with tempfile.TemporaryDirectory() as place:
        folder = describe(Path(place), toy_spec())
        return {name: json.loads((folder / name).read_bytes()) for name in FILES}


@contextmanager
def folder_with(file: str, content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        folder = describe(Path(place), toy_spec())
        weights = len(_HEADER).to_bytes(8, "little") + _HEADER + bytes(4)
        (folder / "model.safetensors").write_bytes(weights)
        (folder / file).write_bytes(content)
        yield folder


CHANGED = st.sampled_from(FILES).flatmap(
    lambda name: st.tuples(st.just(name), changed([whole()[name]]))
)


@cases("weights", file=CHANGED)
def test_files_beside_weights(file: tuple[str, Any]):
    name, content = file
    with folder_with(name, to_bytes(content)) as folder:
        found = fault(folder, toy_spec())
    if found is not None:
        sentence(WeightsError(f"model.path {found.what}; {found.mend}."))
    elif name == "config.json":  # what is loaded has the sizes of the model
        sizes = toy_spec().architecture
        assert all(content.get(key, size) == size for key, size in sizes.items() if "dim" in key)
