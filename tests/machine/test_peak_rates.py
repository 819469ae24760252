"""Peaks: exact figures on a scripted clock, what is kept and what is measured again,
and a real small measurement."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support.fakes import FakeClock, FakeDevice

from asr_scaling.machine import peak_rates as module
from asr_scaling.machine.interference import Counters, MachineWatch
from asr_scaling.machine.peak_rates import Peaks, measure, peaks

GEMM, COPY = 200e9, 40e9
STATE = {"products": 0.005, "memory": 0.0048, "dispatch": 0.001}
"""Seconds of the metronome's probes."""


class Machine:
    """A torch whose products and copies take the clock's time.
    ``first_s``: what the first of each takes beyond it.

    ``products``: rows of the matrices of every product. ``copied``: bytes of every copy.
    ``factor``: of the speed of products of so many rows.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.flop_per_s, self.byte_per_s = clock, GEMM, COPY
        self.first_s, self.products, self.copied = 0.5, list[int](), list[int]()
        self.factor: Callable[[int], float] = lambda n: 1.0

    def in_the_check(self, factor: float, afterwards: float) -> None:
        """Products are so much faster until the smallest matrices,
        with which a measurement begins."""
        self.products.clear()
        self.factor = lambda n: afterwards if 512 in (n, *self.products) else factor

    def module(self) -> ModuleType:
        machine = self

        class Tensor:
            def __init__(self, *shape: int) -> None:
                self.shape = shape

            def to(self, dtype: str) -> Tensor:
                return self

            def copy_(self, other: Tensor) -> None:
                size = 4 * self.shape[0]
                machine.clock.sleep(
                    2 * size / machine.byte_per_s + (0 if machine.copied else machine.first_s)
                )
                machine.copied.append(size)

        def mm(a: Tensor, b: Tensor, out: Tensor) -> None:
            n = a.shape[0]
            rate = machine.flop_per_s * machine.factor(n)
            machine.clock.sleep(2 * n**3 / rate + (0 if n in machine.products else machine.first_s))
            machine.products.append(n)

        class NoGrad:
            def __enter__(self) -> None: ...
            def __exit__(self, *_: object) -> None: ...

        fake = ModuleType("torch")
        generator = SimpleNamespace(manual_seed=lambda seed: "generator")
        parts = {
            "mm": mm,
            "no_grad": NoGrad,
            "Generator": lambda device: generator,
            "get_num_threads": lambda: 2,
        }
        parts |= {
            "randn": lambda *shape, **_: Tensor(*shape),
            "ones": lambda size, **_: Tensor(size),
        }
        parts |= {
            "empty_like": lambda other: Tensor(*other.shape),
            "__version__": "9.9",
            "float32": "float32",
        }
        for name, part in parts.items():
            setattr(fake, name, part)
        return fake


@pytest.fixture
def machine(clock: FakeClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    found = Machine(clock)
    monkeypatch.setitem(sys.modules, "torch", found.module())
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
    return found


def watch(others: float = 0.0, stolen: float = 0.0) -> Callable[[], MachineWatch]:
    """A machine of two cores, watched for a second, of whose time others
    and the hypervisor take these shares."""

    def made() -> MachineWatch:
        rows = [
            Counters(0.0, 2, 0.0, 0.0, steal_s=0.0),
            Counters(1.0, 2, 1.0 + 2 * others, 1.0, steal_s=2 * stolen),
        ]
        return MachineWatch(lambda: rows.pop(0))

    return made


def files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.json"))


class TestMeasuring:
    def test_both_peaks_are_exact_and_the_first_call_does_not_count(
        self, machine: Machine, clock: FakeClock
    ):
        found = measure(FakeDevice(clock), "float32")
        assert machine.products.count(512) > 20  # nor does it use up the time
        assert found.flop_per_s == pytest.approx(GEMM, rel=1e-6)  # the clock has whole nanoseconds
        assert found.byte_per_s == pytest.approx(COPY, rel=1e-6)
        assert found.ridge == pytest.approx(5.0, rel=1e-6)

    def test_the_matrices_double_until_a_product_takes_ten_milliseconds(
        self, machine: Machine, clock: FakeClock
    ):
        """2·n³ at 200 GFLOP/s: 1.3 ms for 512, 10.7 ms for 1024."""
        assert measure(FakeDevice(clock), "float32").n == 1024
        assert set(machine.products) == {512, 1024}

    def test_a_fast_machine_gets_the_largest_matrices_and_no_larger(
        self, machine: Machine, clock: FakeClock
    ):
        machine.flop_per_s = 2e15
        assert measure(FakeDevice(clock), "float32").n == 16_384

    def test_a_slow_kernel_is_not_called_for_long(self, machine: Machine, clock: FakeClock):
        machine.flop_per_s, machine.first_s = 1e9, 0.0
        assert measure(FakeDevice(clock), "float32").n == 512
        assert clock.perf_counter() < 3.0

    def test_it_takes_no_more_than_two_and_a_half_seconds(self, machine: Machine, clock: FakeClock):
        machine.first_s = 0.0
        measure(FakeDevice(clock), "float32")
        assert clock.perf_counter() < 2.5

    def test_the_best_size_counts(self, machine: Machine, clock: FakeClock):
        machine.factor = lambda n: 1.5 if n == 512 else 1.0
        found = measure(FakeDevice(clock), "float32")
        assert found.n == 1024
        assert found.flop_per_s == pytest.approx(300e9, rel=1e-6)

    @pytest.mark.parametrize(("kind", "size"), [("cpu", 256 * 2**20), ("cuda", 2**30)])
    def test_copies_are_far_larger_than_caches(
        self, machine: Machine, clock: FakeClock, kind: str, size: int
    ):
        device = FakeDevice(clock)
        device.kind = kind
        measure(device, "float32")
        assert set(machine.copied) == {size}

    @pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_peak_is_a_positive_number(self, rate: float):
        with pytest.raises(ValueError, match="positive"):
            Peaks("float32", rate, 1.0, 512, 0.0)


class TestKeeping:
    def test_the_second_time_is_a_check_only(
        self, machine: Machine, clock: FakeClock, tmp_path: Path
    ):
        first, _ = peaks(FakeDevice(clock), "float32", watch())
        copied, before = len(machine.copied), clock.perf_counter()
        second, cautions = peaks(FakeDevice(clock), "float32", watch())
        assert (second, cautions) == (first, ())
        assert len(machine.copied) == copied
        assert clock.perf_counter() - before < 0.3
        assert len(files(tmp_path)) == 1

    @pytest.mark.parametrize("change", ["dtype", "threads", "torch"])
    def test_another_key_is_another_file(
        self, machine: Machine, clock: FakeClock, tmp_path: Path, change: str
    ):
        peaks(FakeDevice(clock), "float32", watch())
        torch: Any = sys.modules["torch"]
        torch.bfloat16 = "bfloat16"
        if change == "threads":
            torch.get_num_threads = lambda: 1
        if change == "torch":
            torch.__version__ = "9.10"
        peaks(FakeDevice(clock), "bfloat16" if change == "dtype" else "float32", watch())
        assert len(files(tmp_path)) == 2

    @pytest.mark.parametrize("change", ["tf32", "uuid"])
    def test_so_is_another_gpu_and_tf32(
        self, machine: Machine, clock: FakeClock, tmp_path: Path, change: str
    ):
        torch: Any = sys.modules["torch"]
        gpu = SimpleNamespace(name="GPU", uuid="u-1")
        torch.cuda = SimpleNamespace(get_device_properties=lambda name: gpu)
        matmul = SimpleNamespace(allow_tf32=False)
        torch.backends = SimpleNamespace(cuda=SimpleNamespace(matmul=matmul))
        device = FakeDevice(clock)
        device.kind = "cuda"
        peaks(device, "float32", watch())
        if change == "tf32":
            matmul.allow_tf32 = True
        else:
            gpu.uuid = "u-2"
        peaks(device, "float32", watch())
        assert len(files(tmp_path)) == 2

    @pytest.mark.parametrize(
        "damage",
        [
            lambda text: "",
            lambda text: text[:40],
            lambda text: "[]",
            lambda text: "{}",
            lambda text: text.replace('"n"', '"rows"'),
            lambda text: text.replace('"dtype": "float32"', '"dtype": "float64"'),
            lambda text: json.dumps(
                {**json.loads(text), "peaks": {**json.loads(text)["peaks"], "byte_per_s": 0}}
            ),
            lambda text: json.dumps(
                {**json.loads(text), "peaks": {**json.loads(text)["peaks"], "flop_per_s": "1"}}
            ),
        ],
    )
    def test_a_damaged_file_is_measured_again(
        self, machine: Machine, clock: FakeClock, tmp_path: Path, damage: Callable[[str], str]
    ):
        first, _ = peaks(FakeDevice(clock), "float32", watch())
        (file,) = files(tmp_path)
        file.write_text(damage(file.read_text()))
        again, cautions = peaks(FakeDevice(clock), "float32", watch())
        assert (replace(again, measured_at=first.measured_at), cautions) == (first, ())
        assert json.loads(file.read_text())["peaks"]["flop_per_s"] == again.flop_per_s

    @pytest.mark.parametrize("factor", [0.9, 1.1])
    def test_a_small_difference_is_noise(self, machine: Machine, clock: FakeClock, factor: float):
        first, _ = peaks(FakeDevice(clock), "float32", watch())
        machine.flop_per_s *= factor
        assert peaks(FakeDevice(clock), "float32", watch()) == (first, ())

    @pytest.mark.parametrize("factor", [0.5, 0.8, 1.2, 2.0])
    def test_a_changed_machine_is_measured_afresh_and_says_so(
        self, machine: Machine, clock: FakeClock, factor: float
    ):
        peaks(FakeDevice(clock), "float32", watch())
        machine.flop_per_s *= factor
        machine.byte_per_s *= 3
        found, (caution,) = peaks(FakeDevice(clock), "float32", watch())
        assert caution.kind == "PeaksChanged"
        assert "200 GFLOP/s" in caution.message
        assert found.flop_per_s == pytest.approx(GEMM * factor, rel=1e-6)
        assert found.byte_per_s == pytest.approx(3 * COPY, rel=1e-6)
        assert peaks(FakeDevice(clock), "float32", watch()) == (found, ())

    def test_a_disturbed_check_changes_nothing_but_a_larger_value(
        self, machine: Machine, clock: FakeClock
    ):
        first, _ = peaks(FakeDevice(clock), "float32", watch())
        machine.in_the_check(0.5, afterwards=0.95)
        machine.byte_per_s *= 1.1
        found, cautions = peaks(FakeDevice(clock), "float32", watch())
        assert cautions == ()
        assert found.flop_per_s == first.flop_per_s
        assert found.byte_per_s == pytest.approx(1.1 * COPY, rel=1e-6)

    def test_a_check_that_is_faster_than_all_that_follows_is_the_peak(
        self, machine: Machine, clock: FakeClock
    ):
        peaks(FakeDevice(clock), "float32", watch())
        machine.in_the_check(3.0, afterwards=1.0)
        found, (caution,) = peaks(FakeDevice(clock), "float32", watch())
        assert found.flop_per_s == pytest.approx(3 * GEMM, rel=1e-6)
        assert caution.kind == "PeaksChanged"


class TestTheStateBetweenTheCalls:
    def test_a_machine_in_another_state_than_when_the_peak_was_kept_is_a_caution(
        self, machine: Machine, clock: FakeClock
    ):
        first, _ = peaks(FakeDevice(clock), "float32", watch(), STATE)
        slow = {"products": 0.008, "memory": 0.0048, "dispatch": 0.001}
        found, (caution,) = peaks(FakeDevice(clock), "float32", watch(), slow)
        assert found == first  # the peak itself was not lost
        assert caution.kind == "PeaksChanged"
        assert caution.message == (
            "The metronome's products took 5 ms when this machine's peak was kept, 8 ms now."
        )
        assert peaks(FakeDevice(clock), "float32", watch(), STATE) == (first, ())

    @pytest.mark.parametrize(
        ("probe", "factor", "said"),
        [
            *(("products", factor, False) for factor in (0.88, 1.1)),
            *(("products", factor, True) for factor in (0.8, 1.25)),
            *(("memory", factor, False) for factor in (0.82, 1.25)),
            *(("memory", factor, True) for factor in (0.7, 1.5)),
            *(("dispatch", factor, False) for factor in (0.1, 10.0)),  # no peak is of it
        ],
    )
    def test_memory_differs_more_than_products_by_chance(
        self, machine: Machine, clock: FakeClock, probe: str, factor: float, said: bool
    ):
        peaks(FakeDevice(clock), "float32", watch(), STATE)
        now = {**STATE, probe: factor * STATE[probe]}
        _, cautions = peaks(FakeDevice(clock), "float32", watch(), now)
        assert [caution.kind for caution in cautions] == ["PeaksChanged"] * said

    def test_a_peak_without_a_state_gets_that_of_a_check_that_agrees(
        self, machine: Machine, clock: FakeClock
    ):
        first, _ = peaks(FakeDevice(clock), "float32", watch())
        again, cautions = peaks(FakeDevice(clock), "float32", watch(), STATE)
        assert (again, cautions) == (replace(first, state=STATE), ())
        assert peaks(FakeDevice(clock), "float32", watch()) == (again, ())

    def test_a_changed_peak_is_said_once_and_takes_the_new_state(
        self, machine: Machine, clock: FakeClock
    ):
        peaks(FakeDevice(clock), "float32", watch(), STATE)
        machine.flop_per_s /= 2
        slow = {"products": 0.01}
        found, (caution,) = peaks(FakeDevice(clock), "float32", watch(), slow)
        assert "Matrix products ran at 200 GFLOP/s" in caution.message
        assert found.state == slow

    def test_the_larger_of_two_peaks_keeps_its_state(self, machine: Machine, clock: FakeClock):
        first, _ = peaks(FakeDevice(clock), "float32", watch(), STATE)
        machine.in_the_check(0.5, afterwards=0.95)
        found, _ = peaks(FakeDevice(clock), "float32", watch(), {"products": 0.0052})
        assert (found.flop_per_s, found.state) == (first.flop_per_s, STATE)


class TestOnABusyMachine:
    @pytest.mark.parametrize("busy", [{"others": 0.2}, {"stolen": 0.2}])
    def test_peaks_are_used_with_a_caution_and_not_kept(
        self, machine: Machine, clock: FakeClock, tmp_path: Path, busy: dict[str, float]
    ):
        found, (caution,) = peaks(FakeDevice(clock), "float32", watch(**busy))
        assert caution.kind == "PeaksDisturbed"
        assert "20.0%" in caution.message
        assert found.flop_per_s == pytest.approx(GEMM, rel=1e-6)
        assert files(tmp_path) == []

    def test_a_little_disturbance_is_none(self, machine: Machine, clock: FakeClock, tmp_path: Path):
        assert peaks(FakeDevice(clock), "float32", watch(0.04, 0.005))[1] == ()
        assert len(files(tmp_path)) == 1

    def test_lower_figures_leave_the_kept_peak_alone(self, machine: Machine, clock: FakeClock):
        first, _ = peaks(FakeDevice(clock), "float32", watch())
        machine.flop_per_s /= 3
        assert peaks(FakeDevice(clock), "float32", watch(0.5)) == (first, ())
        machine.flop_per_s *= 3
        assert peaks(FakeDevice(clock), "float32", watch()) == (first, ())

    def test_higher_figures_replace_it(self, machine: Machine, clock: FakeClock):
        peaks(FakeDevice(clock), "float32", watch())
        machine.flop_per_s *= 2
        found, (caution,) = peaks(FakeDevice(clock), "float32", watch(0.5))
        assert (found.flop_per_s, caution.kind) == (
            pytest.approx(2 * GEMM, rel=1e-6),
            "PeaksChanged",
        )

    def test_a_gpu_does_not_mind_a_busy_processor(
        self, machine: Machine, clock: FakeClock, tmp_path: Path
    ):
        torch: Any = sys.modules["torch"]
        torch.cuda = SimpleNamespace(get_device_properties=lambda name: SimpleNamespace(name="GPU"))
        torch.backends = SimpleNamespace(
            cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False))
        )
        device = FakeDevice(clock)
        device.kind = "cuda"
        assert peaks(device, "float32", watch(0.5))[1] == ()
        assert len(files(tmp_path)) == 1


def test_of_this_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Real products and copies, made small: any processor does more than 10 MFLOP/s and 10 MB/s."""
    from asr_scaling.device.cpu import Cpu

    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
    for name, value in (
        ("_SMALLEST", 64),
        ("_LONG_ENOUGH_S", 1e-4),
        ("_GEMM_S", 0.02),
        ("_COPY_S", 0.02),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "_COPY_BYTES", {"cpu": 2**22})
    monkeypatch.setattr(module, "TOLERANCE", math.inf)  # whatever else runs on this machine
    first, _ = peaks(Cpu(), "float32", watch())
    assert 1e7 < first.flop_per_s < 1e15
    assert 1e7 < first.byte_per_s < 1e14
    assert peaks(Cpu(), "float32", watch()) == (first, ())
    assert json.loads(files(tmp_path)[0].read_text())["key"]["dtype"] == "float32"
