"""Where a torch module of a cascade computes, what it moves there, and how long it occupies it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class OnPlace:
    """A module in memory, for which its place counts."""

    def __init__(self, place: ModulePlace) -> None:
        self._place = place

    @property
    def device_s(self) -> float:
        """Seconds for which it has occupied an accelerator so far; 0 without one."""
        return self._place.device_s

    @property
    def moved_bytes(self) -> int:
        """Bytes that it has moved to an accelerator and back so far."""
        return self._place.moved_bytes


@dataclass
class ModulePlace:
    """A device, by torch's name ("cpu", "cuda:0").

    device_s: seconds for which the module has occupied an accelerator so far; 0 without one.
    moved_bytes: bytes moved so far between the processor's memory and an accelerator's.
    """

    torch_name: str
    device_s: float = 0.0
    moved_bytes: int = 0

    @property
    def accelerated(self) -> bool:
        """Whether it is no processor."""
        return self.torch_name != "cpu"

    def put(self, array: NDArray[Any]) -> Any:
        """The array as a tensor on the device."""
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if not self.accelerated:
            return tensor
        self.moved_bytes += array.nbytes
        return tensor.to(self.torch_name)

    def get(self, tensor: Any) -> NDArray[Any]:
        """A tensor as an array in the processor's memory; waits for the device."""
        if self.accelerated:
            self.moved_bytes += tensor.nbytes
        found: NDArray[Any] = tensor.detach().cpu().numpy()
        return found

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """In this block the device is occupied, by its own clock; the end waits for it."""
        if not self.accelerated:
            yield
            return
        import torch

        stream = torch.cuda.current_stream(self.torch_name)
        event: Any = torch.cuda.Event
        begin, end = event(enable_timing=True), event(enable_timing=True)
        begin.record(stream)
        yield
        end.record(stream)
        end.synchronize()
        self.device_s += begin.elapsed_time(end) / 1000
