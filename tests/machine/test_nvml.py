"""NVML must look at the GPU that torch computes on,
however a scheduler renumbers what a process sees."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from asr_scaling.device.cuda import Cuda
from asr_scaling.errors import DeviceError
from asr_scaling.machine.nvml import handle, physical_index, power_limit_w

GPUS = ("GPU-aaaa", "GPU-bbbb", "GPU-cccc")
"""Of the machine, as the driver numbers them."""


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """``visible``: UUIDs as torch counts them, CUDA_VISIBLE_DEVICES applied;
    ``parts``: slice → its GPU."""
    state = SimpleNamespace(open=0, visible=["cccc", "aaaa"], parts={}, known=set(GPUS))
    fake: Any = ModuleType("pynvml")
    fake.NVMLError = type("NVMLError", (Exception,), {})

    def count(change: int) -> None:
        state.open += change

    def by_uuid(uuid: str) -> str:
        if uuid not in state.known | set(state.parts):
            raise fake.NVMLError("Not Found")
        return uuid

    def whole(gpu: str) -> str:
        if gpu not in state.parts:
            raise fake.NVMLError("Invalid Argument")
        return str(state.parts[gpu])

    fake.nvmlInit, fake.nvmlShutdown = lambda: count(1), lambda: count(-1)
    fake.nvmlDeviceGetHandleByUUID, fake.nvmlDeviceGetDeviceHandleFromMigDeviceHandle = (
        by_uuid,
        whole,
    )
    fake.nvmlDeviceGetIndex = GPUS.index
    fake.nvmlDeviceGetEnforcedPowerLimit = lambda gpu: (700_000, 350_500, 500_000)[GPUS.index(gpu)]
    fake.nvmlDeviceGetHandleByIndex = lambda _: pytest.fail("NVML's numbers are not torch's")
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    import torch

    def properties(name: str | int) -> SimpleNamespace:
        number = int(str(name).removeprefix("cuda:"))
        return SimpleNamespace(
            uuid=state.visible[number], name="H", total_memory=1, major=9, minor=0
        )

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(state.visible))
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    return state


@pytest.mark.parametrize(
    ("name", "uuid", "number"), [("cuda:0", "GPU-cccc", 2), ("cuda:1", "GPU-aaaa", 0)]
)
def test_by_uuid_and_never_by_number(driver: SimpleNamespace, name: str, uuid: str, number: int):
    assert handle(name) == uuid
    driver.open = 0
    assert physical_index(name) == number
    assert driver.open == 0


def test_a_slice_has_the_number_of_its_gpu(driver: SimpleNamespace):
    driver.visible, driver.parts = ["dddd"], {"MIG-dddd": "GPU-bbbb"}
    assert handle("cuda:0") == "MIG-dddd"
    assert physical_index("cuda:0") == 1


def test_the_power_limit_is_in_watts_and_a_slice_has_that_of_its_gpu(driver: SimpleNamespace):
    assert [power_limit_w(name) for name in ("cuda:0", "cuda:1")] == [500.0, 700.0]
    driver.visible, driver.parts = ["dddd"], {"MIG-dddd": "GPU-bbbb"}
    assert power_limit_w("cuda:0") == 350.5
    assert driver.open == 0


@pytest.mark.parametrize("failure", ["no answer", "an older package"])
def test_a_power_limit_that_the_driver_does_not_tell(driver: SimpleNamespace, failure: str):
    if failure == "no answer":
        driver.known = set()
    else:
        del sys.modules["pynvml"].nvmlDeviceGetEnforcedPowerLimit
    assert power_limit_w("cuda:0") is None
    assert driver.open == 0


def test_a_driver_that_does_not_answer(driver: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    driver.known = set()
    assert physical_index("cuda:0") is None
    assert driver.open == 0
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert physical_index("cuda:0") is None


def test_the_record_has_name_uuid_both_numbers_and_the_power_limit(driver: SimpleNamespace):
    found = Cuda().setup()
    names = ("gpu", "uuid", "index", "nvml_index", "visible", "power_limit_w")
    assert {key: found[key] for key in names} == {
        "gpu": "H", "uuid": "cccc", "index": 0, "nvml_index": 2, "visible": 2,
        "power_limit_w": 500.0,
    }  # fmt: skip
    driver.visible = driver.visible[:1]
    with pytest.raises(
        DeviceError,
        match=r"device\.index=2 but this process sees 1 GPU\(s\).*leave device\.index out",
    ):
        Cuda(index=2).setup()
