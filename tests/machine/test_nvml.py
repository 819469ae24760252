"""NVML must look at the GPU that torch computes on,
however a scheduler renumbers what a process sees."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from asr_scaling.device.cuda import Cuda
from asr_scaling.errors import DeviceError
from asr_scaling.machine.nvml import handle, physical_index

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


def test_a_driver_that_does_not_answer(driver: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    driver.known = set()
    assert physical_index("cuda:0") is None
    assert driver.open == 0
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert physical_index("cuda:0") is None


def test_the_record_has_name_uuid_and_both_numbers(driver: SimpleNamespace):
    found = Cuda().setup()
    assert {key: found[key] for key in ("gpu", "uuid", "index", "nvml_index", "visible")} == {
        "gpu": "H", "uuid": "cccc", "index": 0, "nvml_index": 2, "visible": 2,
    }  # fmt: skip
    driver.visible = driver.visible[:1]
    with pytest.raises(
        DeviceError,
        match=r"device\.index=2 but this process sees 1 GPU\(s\).*leave device\.index out",
    ):
        Cuda(index=2).setup()
