"""NVML: the counters of NVIDIA's driver, for the GPU that torch uses."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

from asr_scaling.errors import DeviceError


def nvml() -> Any:
    """NVML's module. DeviceError when it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # an abandoned package of the same name says so when imported
            import pynvml
    except ImportError as error:
        raise DeviceError("the GPU's counters need a package: pip install nvidia-ml-py") from error
    return pynvml


def handle(torch_name: str) -> Any:
    """NVML's handle of the GPU that torch calls ``torch_name`` ("cuda:0"); ``nvml().nvmlShutdown()`` gives it back.

    Matched by UUID: NVML ignores CUDA_VISIBLE_DEVICES and numbers GPUs its own way. DeviceError, one sentence, when
    NVML does not answer; then it is shut down again.
    """
    import torch

    found = nvml()
    try:
        uuid = str(torch.cuda.get_device_properties(torch_name).uuid).removeprefix("GPU-")
        found.nvmlInit()
    except (found.NVMLError, AttributeError) as error:
        raise DeviceError(_SILENT.format(torch_name, error)) from error
    try:
        try:
            return found.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        except found.NVMLError:
            return found.nvmlDeviceGetHandleByUUID(
                f"MIG-{uuid}"
            )  # torch names a slice of a GPU without its prefix
    except found.NVMLError as error:
        found.nvmlShutdown()
        raise DeviceError(_SILENT.format(torch_name, error)) from error


def physical_index(torch_name: str) -> int | None:
    """The driver's number of the GPU (or of the one it is a slice of); None if unknown."""
    try:
        found, gpu = nvml(), handle(torch_name)
    except DeviceError:
        return None
    try:
        with suppress(found.NVMLError, AttributeError):  # not a slice
            gpu = found.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(gpu)
        return int(found.nvmlDeviceGetIndex(gpu))
    except (found.NVMLError, AttributeError):
        return None
    finally:
        found.nvmlShutdown()


_SILENT = "the driver's counters (NVML) don't answer for {}: {}"
