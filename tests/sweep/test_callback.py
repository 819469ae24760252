"""A point as Hydra hands it over: set up once, and a record whatever is raised on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict
from support.offline import FAST

from asr_scaling.core.record import RECORD_FILE, RunRecord
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.measure import job
from asr_scaling.sweep.callback import point
from asr_scaling.util.config_dir import conf_dir

Point = Callable[..., DictConfig]


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Point]:
    """The options of a point whose folder is ``tmp_path``, as Hydra composes them."""
    held = HydraConfig.instance().cfg

    def of(*overrides: str) -> DictConfig:
        options = ["model=whisper_tiny_en", "dataset=demo", "~tracking", *FAST, *overrides]
        config = compose("config", options, return_hydra_config=True)
        with open_dict(config):
            config.hydra.runtime.output_dir = str(tmp_path)
        HydraConfig.instance().set_config(config)
        return config

    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield of
    HydraConfig.instance().cfg = held


@pytest.fixture
def setups(monkeypatch: pytest.MonkeyPatch) -> list[Cpu]:
    """The devices that were set up."""
    log: list[Cpu] = []
    setup = Cpu.setup

    def logged(device: Cpu) -> Mapping[str, Any]:
        log.append(device)
        return setup(device)

    monkeypatch.setattr(Cpu, "setup", logged)
    return log


def test_the_device_is_set_up_once(composed: Point, tmp_path: Path, setups: list[Cpu]) -> None:
    point(composed())
    record = RunRecord.read(tmp_path / RECORD_FILE)
    assert (record.status, len(record.identity)) == ("ok", 64)
    assert record.environment["device"]["kind"] == "cpu"
    assert len(setups) == 1


def test_also_where_it_was_measured_before_and_then_nothing_is_loaded(
    composed: Point, tmp_path: Path, setups: list[Cpu], monkeypatch: pytest.MonkeyPatch
) -> None:
    point(composed())
    before = RunRecord.read(tmp_path / RECORD_FILE)
    monkeypatch.delattr(Fake, "check")
    point(composed("sweep.resume=true"))
    assert RunRecord.read(tmp_path / RECORD_FILE) == before
    assert len(setups) == 2


def test_a_round_makes_as_many_calls_as_planned_and_is_the_same_measurement(
    composed: Point, tmp_path: Path
) -> None:
    """What a plan made of other records' figures asks for does not make a record of no use."""
    point(composed("+sweep.round=3", "+sweep.calls=11"))
    record = RunRecord.read(tmp_path / RECORD_FILE)
    assert (len(record.samples), record.tags["timing/ended_by"]) == (11, "count")
    assert record.config["pipeline"]["min_iterations"] == 3
    point(composed("+sweep.round=3", "sweep.resume=true"))
    assert RunRecord.read(tmp_path / RECORD_FILE) == record


def test_a_device_that_the_kernel_refuses(
    composed: Point, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(device: Cpu) -> Mapping[str, Any]:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(Cpu, "setup", refused)
    point(composed())
    record = RunRecord.read(tmp_path / RECORD_FILE)
    assert record.status == "failed"
    assert (record.reason or "").startswith("OSError: [Errno 22] Invalid argument")


def test_a_file_that_the_fingerprint_can_not_look_at(
    composed: Point, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> str:
        raise OSError(36, "File name too long")

    monkeypatch.setattr(job, "fingerprint", refused)
    point(composed())
    record = RunRecord.read(tmp_path / RECORD_FILE)
    assert record.status == "failed"
    assert "File name too long" in (record.reason or "")
