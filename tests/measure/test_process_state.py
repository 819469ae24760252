"""A point leaves variables and warnings of its process as it found them."""

from __future__ import annotations

import os
import warnings

import pytest

from asr_scaling.measure.process_state import process_restored


def test_variables_are_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.setenv("KMP_BLOCKTIME", "1")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    before = dict(os.environ)

    def point() -> None:
        with process_restored():
            os.environ |= {"OMP_WAIT_POLICY": "active", "TORCHINDUCTOR_CACHE_DIR": "/x"}
            del os.environ["KMP_BLOCKTIME"]
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        point()
    assert dict(os.environ) == before


def test_what_this_package_tells_other_processes_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_HUB", "up")
    with process_restored():
        os.environ["ASR_SCALING_HUB"] = "down"
    assert os.environ["ASR_SCALING_HUB"] == "down"


def test_filters_of_warnings_are_as_before() -> None:
    before = list(warnings.filters)
    with process_restored():
        warnings.simplefilter("ignore")
    assert warnings.filters == before
