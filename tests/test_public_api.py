"""What ``import asr_scaling`` offers."""

from __future__ import annotations

import inspect

import pytest

import asr_scaling


def test_names():
    assert sorted(asr_scaling.__all__) == [
        "Job",
        "Pipeline",
        "RunRecord",
        "SystemSpec",
        "Transcriber",
        "load_system",
        "run",
    ]


@pytest.mark.parametrize("name", asr_scaling.__all__)
def test_has_a_docstring_of_its_own(name: str):
    text = inspect.getdoc(getattr(asr_scaling, name))
    assert text
    assert not text.startswith(
        f"{name}("
    )  # the signature that dataclass writes where nobody wrote anything


def test_a_script_finds_the_yamls_and_a_models_options():
    from asr_scaling.conf import conf_dir
    from asr_scaling.model.spec import load_spec

    assert (conf_dir() / "model" / "whisper_tiny_en.yaml").is_file()
    assert load_spec("whisper_tiny_en").name == "whisper_tiny_en"
