"""NVML: the counters of NVIDIA's driver, for the GPU that torch uses."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from typing import Any

from asr_scaling.errors import DeviceError


def nvml() -> Any:
    """NVML's module. Raises DeviceError when it is not installed."""
    try:
        with warnings.catch_warnings():
            # an abandoned package of the same name warns when it is imported
            warnings.simplefilter("ignore")
            import pynvml
    except ImportError as error:
        raise DeviceError("the GPU's counters need a package: pip install nvidia-ml-py") from error
    return pynvml


def handle(torch_name: str) -> Any:
    """NVML's handle of a GPU; the caller gives it back with ``nvml().nvmlShutdown()``.

    torch_name: torch's name of the GPU, such as "cuda:0". GPUs are matched by UUID, since NVML
        ignores CUDA_VISIBLE_DEVICES and numbers GPUs in its own way.

    Raises DeviceError when NVML does not answer; then it is shut down again.
    """
    import torch

    driver = nvml()
    try:
        uuid = str(torch.cuda.get_device_properties(torch_name).uuid).removeprefix("GPU-")
        driver.nvmlInit()
    except (driver.NVMLError, AttributeError) as error:
        raise DeviceError(_SILENT.format(torch_name, error)) from error
    try:
        with suppress(driver.NVMLError):
            return driver.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        # torch names a slice of a GPU without its prefix
        return driver.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")
    except driver.NVMLError as error:
        driver.nvmlShutdown()
        raise DeviceError(_SILENT.format(torch_name, error)) from error


def process_bytes(torch_name: str) -> int | str:
    """Bytes that this process holds on a GPU, the driver's context and libraries included.

    Where that is not known, a sentence why.
    """
    try:
        driver, gpu = nvml(), handle(torch_name)
    except DeviceError as error:
        return str(error)
    try:
        running = driver.nvmlDeviceGetComputeRunningProcesses(gpu)
    except (driver.NVMLError, AttributeError) as error:
        return f"the driver does not tell what processes hold ({error})"
    finally:
        driver.nvmlShutdown()
    held = [entry.usedGpuMemory for entry in running if entry.pid == os.getpid()]
    if not held or held[0] is None:
        return "the driver does not tell what this process holds, as in most containers"
    return int(held[0])


def physical_index(torch_name: str) -> int | None:
    """The driver's number of a GPU, or of the GPU it is a slice of; None if unknown."""
    index = _of_board(torch_name, "nvmlDeviceGetIndex")
    return None if index is None else int(index)


def power_limit_w(torch_name: str) -> float | None:
    """The watts above which the driver slows a GPU down, all limits that are set considered.

    Of a slice: those of the whole GPU. None where the driver does not tell.
    """
    milliwatts = _of_board(torch_name, "nvmlDeviceGetEnforcedPowerLimit")
    return None if milliwatts is None else milliwatts / 1000


def _of_board(torch_name: str, function: str) -> Any:
    """What NVML's function says of a GPU, or of the GPU it is a slice of; None if nothing."""
    try:
        driver, gpu = nvml(), handle(torch_name)
    except DeviceError:
        return None
    try:
        with suppress(driver.NVMLError, AttributeError):  # not a slice
            gpu = driver.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(gpu)
        return getattr(driver, function)(gpu)
    except (driver.NVMLError, AttributeError):
        return None
    finally:
        driver.nvmlShutdown()


_SILENT = "the driver's counters (NVML) don't answer for {}: {}"
