"""Peak FLOP/s and copy bandwidth of this machine: measured once, kept and checked."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.ports import Device
from asr_scaling.core.typed_json import build, read
from asr_scaling.machine.environment import allowed_cores, environment
from asr_scaling.machine.interference import OTHERS_LIMIT, STEAL_LIMIT, MachineWatch
from asr_scaling.util.cache import cache_dir, write_atomic

DTYPES = ("float32", "bfloat16", "float16")
TOLERANCE = 0.15
"""A kept peak stands while a quick measurement is within this share of it."""
_FELT = {
    "products": ("The metronome's products took", TOLERANCE),
    "gpu_products": ("The metronome's products took", TOLERANCE),
    "memory": ("The metronome's reading of memory took", 0.25),
    "gpu_memory": ("The metronome's copies took", 0.25),
}
"""Probe of the metronome → what it does, and the share by which its rate may differ: two records of
one machine differed by more in 0.3 % of 16,836 pairs (products) and 3.1 % (memory)."""
_SMALLEST, _LARGEST = 512, 16_384
_LONG_ENOUGH_S = 0.01
_GEMM_S, _CHECK_S = 0.4, 0.25
_COPY_S = 0.3
_COPY_BYTES = {"cpu": 256 * 2**20, "cuda": 2**30}
_MOST_CALLS = 100


@dataclass(frozen=True)
class Peaks:
    """The highest rates that were measured.

    dtype: torch's name of the data type.
    flop_per_s: 2·n³ operations of one matrix product over its time.
    byte_per_s: bytes read plus bytes written by a copy over its time, as STREAM counts them
        (McCalpin 1995): fetching the overwritten cache lines does not count.
    n: rows of the square matrices.
    measured_at: seconds since 1970.
    state: seconds of the metronome's probes between the calls of the point for which the peak was
        kept, or, of an older peak, of the first one whose check agreed with it; empty if not known.
    """

    dtype: str
    flop_per_s: float
    byte_per_s: float
    n: int
    measured_at: float
    state: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(math.isfinite(rate) and rate > 0 for rate in (self.flop_per_s, self.byte_per_s)):
            raise ValueError(f"A peak must be a positive number: {self}.")

    @property
    def ridge(self) -> float:
        """FLOP per byte that reach both peaks: Williams, Waterman & Patterson 2009, Roofline."""
        return self.flop_per_s / self.byte_per_s


def peaks(
    device: Device,
    dtype: str,
    watch: Callable[[], MachineWatch] = MachineWatch,
    state: Mapping[str, float] | None = None,
) -> tuple[Peaks, tuple[Caution, ...]]:
    """The peaks of ``device`` in ``dtype``, kept from earlier or measured (about two seconds).

    Kept peaks are checked with a quarter second of matrix products. If these differ by more than
    15 %, or the file is damaged, everything is measured again:
    - If the new peak agrees with the kept one, the larger counts, since a peak is a maximum.
    - If the new peak is lower and other processes were busy, the kept one counts.
    - Otherwise the new peak counts and is kept, with a caution.
    A first peak measured on a busy processor is not kept, and gets a caution.

    state: seconds of the metronome's probes between the calls that the peak is for. Where they
        differ from those of the time when the peak was kept, products by more than 15 % and memory
        by more than 25 %, that is a caution too: the calls ran on a machine in another state, and
        the check, which comes after them, does not see that.

    Raises RuntimeError when torch can't compute in ``dtype`` or memory is short, OSError when the
    result can't be kept.
    """
    found, cautions = _peaks(device, dtype, watch, state or {})
    return found, (*cautions, *_other_state(found.state, state or {}))


def _peaks(
    device: Device, dtype: str, watch: Callable[[], MachineWatch], state: Mapping[str, float]
) -> tuple[Peaks, tuple[Caution, ...]]:
    key, machine = _key(device, dtype), watch()
    path = cache_dir("peaks") / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.json"
    kept = _read(path, key)
    checked = _products(device, dtype, kept.n, _CHECK_S)[0] if kept else 0.0
    if kept and _agree(checked, kept.flop_per_s):
        if state and not kept.state and not (device.kind == "cpu" and _taken(machine)):
            kept = replace(kept, state=state)
            with suppress(OSError):  # it is of use for later points only
                _keep(path, key, kept)
        return kept, ()
    fresh = measure(device, dtype)
    now = max(fresh.flop_per_s, checked)
    fresh = replace(fresh, flop_per_s=now, state=state)
    taken = _taken(machine) if device.kind == "cpu" else 0.0
    if kept is None:
        if taken:
            return fresh, (caution("PeaksDisturbed", share=taken),)
        return _keep(path, key, fresh), ()
    before = kept.flop_per_s
    if _agree(now, before):
        byte_per_s = max(fresh.byte_per_s, kept.byte_per_s)
        fresh = replace(fresh, flop_per_s=max(now, before), byte_per_s=byte_per_s)
        if before > now and kept.state:
            fresh = replace(fresh, state=kept.state)
        return _keep(path, key, fresh), ()
    if taken and now < before:
        return kept, ()
    rates = {"kept": f"{before / 1e9:.4g} GFLOP/s", "now": f"{now / 1e9:.4g}"}
    changed = caution("PeaksChanged", work="Matrix products ran at", **rates)
    return _keep(path, key, fresh), (changed,)


def _other_state(kept: Mapping[str, float], now: Mapping[str, float]) -> tuple[Caution, ...]:
    """A caution for each probe that does not take as long as when the peak was kept."""
    return tuple(
        caution("PeaksChanged", work=work, kept=_ms(kept[probe]), now=_ms(now[probe]))
        for probe, (work, tolerance) in _FELT.items()
        if kept.get(probe) and now.get(probe) and abs(kept[probe] / now[probe] - 1) > tolerance
    )


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"


def _taken(machine: MachineWatch) -> float:
    """Share of the cores' time that other processes and the hypervisor took; 0 within limits."""
    shares = {metric.name: metric.value for metric in machine.findings(()).metrics}
    others, stolen = shares["noise/others_share"], shares.get("noise/steal_share", 0.0)
    return others + stolen if others > OTHERS_LIMIT or stolen > STEAL_LIMIT else 0.0


def measure(device: Device, dtype: str) -> Peaks:
    """Measure both peaks on the device's own clock.

    FLOP/s: the best of matrix products that double in size until one takes ten milliseconds.
    Bandwidth: copies between two buffers of 256 MiB on a CPU, 1 GiB on a GPU, which are larger
    than any last-level cache.
    """
    n, rates = _SMALLEST // 2, [0.0]
    seconds = 0.0
    while seconds < _LONG_ENOUGH_S and n < _LARGEST:
        n *= 2
        rate, seconds = _products(device, dtype, n, _GEMM_S / 10)
        rates.append(rate)
    rates.append(_products(device, dtype, n, _GEMM_S)[0])
    return Peaks(dtype, max(rates), _copies(device), n, time.time())


def _products(device: Device, dtype: str, n: int, budget_s: float) -> tuple[float, float]:
    """FLOP/s and seconds of the fastest product of two n × n matrices.

    The numbers are random: constants would let a GPU draw less power and clock higher.
    """
    import torch

    generator = torch.Generator(device=device.torch_name).manual_seed(0)
    a, b = (
        torch.randn(n, n, device=device.torch_name, generator=generator).to(getattr(torch, dtype))
        for _ in range(2)
    )
    product = torch.empty_like(a)
    with torch.no_grad():
        seconds = _fastest(device, lambda: torch.mm(a, b, out=product), budget_s)
    return 2 * n**3 / seconds, seconds


def _copies(device: Device) -> float:
    """Bytes read plus bytes written per second of the fastest copy."""
    import torch

    size = _COPY_BYTES.get(device.kind, _COPY_BYTES["cpu"])
    source = torch.ones(size // 4, dtype=torch.float32, device=device.torch_name)
    target = torch.empty_like(source)
    return 2 * size / _fastest(device, lambda: target.copy_(source), _COPY_S)


def _fastest(device: Device, work: Callable[[], Any], budget_s: float) -> float:
    """Seconds of the fastest call within ``budget_s``, of two calls at least.

    A call before them does not count: it chooses kernels and touches memory for the first time.
    """
    work()
    times: list[float] = []
    while len(times) < 2 or (sum(times) < budget_s and len(times) < _MOST_CALLS):
        start = device.mark()
        work()
        times.append(device.seconds([start, device.mark()])[-1])
    return min(times)


def _agree(a: float, b: float) -> bool:
    return abs(a / b - 1) <= TOLERANCE


def _key(device: Device, dtype: str) -> dict[str, Any]:
    """Everything a peak depends on; the same key, the same file."""
    import torch

    machine = environment()
    key = {
        "host": machine["host"],
        "cpu": machine["cpu"],
        "cores": allowed_cores(),
        "threads": torch.get_num_threads(),
        "dtype": dtype,
        "torch": str(torch.__version__),
    }
    if device.kind == "cuda":
        properties = torch.cuda.get_device_properties(device.torch_name)
        key |= {
            "gpu": properties.name,
            "uuid": str(getattr(properties, "uuid", device.torch_name)),
            "tf32": bool(torch.backends.cuda.matmul.allow_tf32),
        }
    return key


def _read(path: Path, key: dict[str, Any]) -> Peaks | None:
    """The peaks kept for ``key``; None when there are none or the file is damaged."""
    try:
        data = verified(read(path))
        return build(Peaks, data["peaks"]) if data["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(path: Path, key: dict[str, Any], rates: Peaks) -> Peaks:
    write_atomic(path, json.dumps(signed({"key": key, "peaks": asdict(rates)}), indent=1).encode())
    return rates
