"""What the modules of a cascade cost, against arithmetic done by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from support.fakes import ScriptedSystem, make_session, utterances

from asr_scaling.core.module_use import ModuleUse
from asr_scaling.core.record import Findings
from asr_scaling.core.sample import Sample
from asr_scaling.profiler.modules import Modules

RECORDINGS = utterances([10.0, 20.0])


def sample(total_s: float, cpu_s: float | None, **modules: ModuleUse) -> Sample:
    return Sample(("u0",), 10.0, 10.0, total_s, {"other": total_s}, modules=modules, cpu_s=cpu_s)


def found(*samples: Sample, values: Mapping[str, float] | None = None, **facts: Any) -> Findings:
    system = ScriptedSystem(lambda batch, probe: None, **facts)
    session = make_session(system, RECORDINGS, samples=samples, values=dict(values or {}))
    return Modules(lanes=False).measure(session)


def figures(findings: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in findings.metrics}


def test_another_system_has_no_modules():
    plain = Sample(("u0",), 10.0, 10.0, 1.0, {"other": 1.0})
    assert found(plain) == Findings()


def test_means_and_shares_are_over_the_calls():
    got = figures(
        found(
            sample(
                2.0, 3.0, vad=ModuleUse(0.5, 1.0, calls=2, items=4), between=ModuleUse(1.5, 2.0)
            ),
            sample(
                4.0, 5.0, vad=ModuleUse(1.5, 1.0, calls=4, items=8), between=ModuleUse(2.5, 4.0)
            ),
        )
    )
    assert got["module/vad/wall_s"] == pytest.approx(1.0)
    assert got["module/vad/wall_share"] == pytest.approx(2 / 6)
    assert got["module/vad/cpu_share"] == pytest.approx(2 / 8)
    assert got["module/vad/cores"] == pytest.approx(2 / 6)
    assert (got["module/vad/calls"], got["module/vad/items"]) == (3, 6)
    assert got["module/between/wall_share"] == pytest.approx(4 / 6)
    assert "module/vad/device_s" not in got


def test_energy_goes_by_processor_time_and_a_gpus_by_the_time_it_is_occupied():
    """A call of 100 J, 60 J of them the GPU's. The detector has a quarter of the processor's time,
    recognition all of the GPU's."""
    call = sample(
        2.0,
        4.0,
        vad=ModuleUse(0.5, 1.0),
        recognition=ModuleUse(1.0, 2.0, device_s=0.8),
        between=ModuleUse(0.5, 1.0),
    )
    values = {"energy/per_sample_j": 100.0, "energy/total_j": 500.0, "energy/gpu_j": 300.0}
    findings = found(call, values=values)
    got = figures(findings)
    assert got["module/vad/energy_j"] == pytest.approx(40 / 4)
    assert got["module/recognition/energy_j"] == pytest.approx(60 + 40 / 2)
    assert "GPU's by the seconds" in findings.tags["modules/energy"]
    whole = sum(value for name, value in got.items() if name.endswith("energy_j"))
    assert whole == pytest.approx(100)


def test_what_is_not_known_says_why():
    findings = found(sample(1.0, 1.0, vad=ModuleUse(0.5, None), between=ModuleUse(0.5, None)))
    assert "module/vad/cpu_s" not in figures(findings)
    assert "does not tell the processor time" in findings.unavailable["module/vad/cpu_s"]
    assert "not known" in findings.unavailable["module/vad/energy_j"]


def test_memory_is_what_loading_added():
    told = {"cascade": {"vad": {"memory_bytes": 5e6}}}
    call = sample(1.0, 1.0, vad=ModuleUse(1.0, 1.0), between=ModuleUse())
    assert figures(found(call, details=told))["module/vad/memory_bytes"] == 5e6
