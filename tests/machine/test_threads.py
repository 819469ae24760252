"""Threads of torch and of engines without it."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from asr_scaling.machine import threads


@pytest.fixture(autouse=True)
def none_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_IN_FORCE", [])


def test_before_any_was_set_there_is_one_a_core() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert threads.threads() == cores


def test_torch_hears_of_them_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=heard.append))
    threads.use_threads(3)
    assert threads.threads() == 3
    assert heard == [3]


def test_torch_hears_of_them_once_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    threads.tell_torch()
    threads.use_threads(2)
    assert "torch" not in sys.modules
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=heard.append))
    threads.tell_torch()
    assert heard == [2]
