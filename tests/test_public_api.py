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
