"""An NVIDIA GPU: CUDA events as the clock, peak allocated memory, TF32 as an option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asr_scaling.device._host import set_host
from asr_scaling.errors import ConfigError, DeviceError
from asr_scaling.machine.nvml import physical_index, power_limit_w


@dataclass(frozen=True)
class CudaMemory:
    """Peak of PyTorch's caching allocator (torch.cuda.max_memory_allocated)."""

    index: int

    def reset(self) -> None:
        """Forget the peak; cached blocks that nobody uses go back to the driver first."""
        import torch

        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.index)

    def peak_bytes(self) -> int | None:
        """Most bytes allocated on the GPU since ``reset``."""
        import torch

        torch.cuda.synchronize(self.index)
        return int(torch.cuda.max_memory_allocated(self.index))


@dataclass(frozen=True)
class Cuda:
    """Options of the device.

    ``index``: which of the GPUs that this process sees; None for the first. A scheduler that gives
    a job a GPU hides the others (CUDA_VISIBLE_DEVICES), and CUDA counts from 0 what is left. When
    several are visible, the first is used: nothing says which of them another task of the job
    takes.
    ``tf32``: TF32 Tensor Cores for float32 matrix products and convolutions.
    """

    index: int | None = None
    tf32: bool = False
    kind: str = field(default="cuda", init=False)

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ConfigError(f"device.index must be 0 or more, or null; got {self.index}.")

    @property
    def number(self) -> int:
        """The index as CUDA counts in this process."""
        return self.index or 0

    @property
    def torch_name(self) -> str:
        """What torch.device() takes."""
        return f"cuda:{self.number}"

    @property
    def memory(self) -> CudaMemory:
        """The GPU's memory."""
        return CudaMemory(self.number)

    def setup(self) -> Mapping[str, Any]:
        """Selects the GPU and sets TF32; the host's threads, cores and heap are as by default.

        Returns which GPU it is, by UUID and by the driver's number, its power limit in watts where
        the driver tells it, and which runtime.
        """
        import torch

        if not torch.cuda.is_available():
            raise DeviceError(
                "device=cuda needs an NVIDIA GPU and a CUDA build of torch; use device=cpu here."
            )
        if self.number >= (visible := torch.cuda.device_count()):
            raise DeviceError(
                f"device.index={self.number} but this process sees {visible} GPU(s), counted "
                "from 0 whatever their number on the machine: leave device.index out for the first."
            )
        set_host()  # what an earlier point on the processor may have set
        torch.cuda.set_device(self.number)
        torch.backends.cuda.matmul.allow_tf32 = self.tf32
        torch.backends.cudnn.allow_tf32 = self.tf32
        properties = torch.cuda.get_device_properties(self.number)
        return {
            "kind": "cuda",
            "index": self.number,
            "nvml_index": physical_index(self.torch_name),
            "visible": visible,
            "gpu": properties.name,
            "uuid": str(getattr(properties, "uuid", "unknown")),
            "memory_bytes": properties.total_memory,
            "power_limit_w": power_limit_w(self.torch_name),
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
            "tf32": self.tf32,
        }

    def mark(self) -> Any:
        """A CUDA event on the current stream: recorded without waiting."""
        import torch

        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.number))
        return event

    def seconds(self, marks: Sequence[Any]) -> list[float]:
        """Waits for the last mark, then reads the GPU's clock, whose resolution is 0.5 µs."""
        marks[-1].synchronize()
        return [marks[0].elapsed_time(mark) / 1000.0 for mark in marks]
