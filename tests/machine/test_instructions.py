"""Which class of processor a machine has, by its instruction sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr_scaling.machine.environment import environment
from asr_scaling.machine.instructions import instructions, processor_class


def test_only_the_sets_that_matter_are_read(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor : 0\nflags\t: fpu avx2 avx512_vnni amx_int8 sse\nflags : fpu\n")
    assert instructions(info) == ("avx2", "avx512_vnni", "amx_int8")
    assert instructions(tmp_path / "nothing") == ()


def test_a_record_says_which_sets_its_machine_has() -> None:
    assert environment()["instructions"] == list(instructions())


@pytest.mark.parametrize(
    ("sets", "device", "expected"),
    [
        (["avx2", "avx512_vnni", "amx_int8"], "cpu", "amx"),
        (["avx2", "avx512_vnni", "avx512_bf16"], "cpu", "avx512_bf16"),
        (["avx2", "avx_vnni"], "cpu", "vnni"),
        (["avx2"], "cpu", "avx2"),
        (["asimddp"], "cpu", "arm"),
        ([], "cpu", "unknown"),
        (None, "cpu", "unknown"),
        ("amx_int8", "cpu", "unknown"),
        (["amx_int8"], "cuda:0", "cuda"),
    ],
)
def test_the_fastest_class_counts(sets: object, device: str, expected: str) -> None:
    assert processor_class({"instructions": sets}, device) == expected


@pytest.mark.parametrize("environment", [{}, {"instructions": [["nested"]]}])
def test_what_is_not_recorded_is_unknown(environment: dict[str, object]) -> None:
    assert processor_class(environment, "cpu") == "unknown"
