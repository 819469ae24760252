"""Whatever was measured before a point, it finds the process as it would have found it alone,
and its record is the same in all that is no time."""

from __future__ import annotations

import functools
import hashlib
import locale
import logging
import os
import random
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import networks
from support.fakes import FakeDataset, ScriptedSystem, altered, brief, make_job, noise, workload
from support.fuzzing import TIMES as DRAWN

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import Probe
from asr_scaling.core.record import RunRecord
from asr_scaling.core.workload import AudioBatch, Workload
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.engine.transformers import Transformers
from asr_scaling.measure.job import Job, run
from asr_scaling.measure.model_cache import ModelCache
from asr_scaling.profiler.flops import Flops
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality
from asr_scaling.profiler.trace import Trace

TIMES = ("latency", "stage", "throughput", "startup", "noise", "ops")
"""Groups of metrics that are times, or shares of them."""


ORDERS = settings(
    max_examples=round(6 * DRAWN),
    deadline=None,
    database=None,
    derandomize=DRAWN <= 1,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
"""Points of real networks, and so few and slow."""


def state() -> dict[str, Any]:
    """All of this process that a point could find changed by another one."""
    drawn = (torch.get_rng_state().numpy().tobytes(), repr(random.getstate()).encode())
    drawn += (repr(np.random.get_state()).encode(),)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    return {
        "threads": torch.get_num_threads(),
        "cores": cores,
        "gradients": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "products": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "random": [hashlib.sha256(part).hexdigest() for part in drawn],
        "variables": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "warnings": list(warnings.filters),
        "logging": (logging.root.level, logging.root.disabled, logging.root.manager.disable),
        "locale": locale.setlocale(locale.LC_ALL),
        "folder": os.getcwd(),
        "hooks": (sys.excepthook, sys.displayhook),
        "numpy": np.geterr(),
    }


@dataclass
class Witness:
    """An engine that notes the state in which its calls find the process."""

    found: list[dict[str, Any]] = field(default_factory=list)

    def check(self, model: Any) -> None:
        return

    def load(self, model: Any, device: Any) -> ScriptedSystem:
        return ScriptedSystem(self._note)

    def _note(self, batch: AudioBatch, probe: Probe) -> None:
        self.found.append(state())


@dataclass
class Noise(FakeDataset):
    def load(self, limit: int | None) -> Workload:
        return workload([noise(1.0, "u0"), noise(2.0, "u1")][:limit])


def point(engine: Any, device: Cpu, size: int = 1, model: Any = None, **profiler: Any) -> Job:
    job = make_job(profiler={"latency": Latency(), "quality": Quality(), **profiler})
    changes = {"engine": engine, "device": device, "batch": Fixed(size), "pipeline": brief()}
    return replace(altered(job, **changes, **({"model": model} if model else {})), dataset=Noise())


DEVICES = st.builds(
    Cpu, st.sampled_from([None, 1]), st.booleans(), st.sampled_from(["release", "keep"])
)
MODELS = st.sampled_from(
    [networks.whisper(), networks.whisper(architecture={"d_model": 32}), networks.ctc()]
)
FAKES = st.builds(
    Fake,
    fixed_s=st.just(0.0),
    per_audio_s=st.just(0.0),
    word_errors=st.sampled_from([0.0, 0.5]),
    jitter=st.sampled_from([0.0, 0.3]),
    max_batch=st.sampled_from([None, 1]),
)
REAL = st.builds(
    Transformers,
    dtype=st.sampled_from(["float32", "bfloat16"]),
    attention=st.sampled_from(["sdpa", "eager"]),
    seed=st.integers(0, 1),
)
CACHES = st.sampled_from([lambda: None, ModelCache, lambda: ModelCache(spare_bytes=0)])
"""None, for one system, and for several: as a sweep without and with kept systems, and a search."""
PROFILERS = st.sampled_from([{}, {"flops": Flops()}, {"trace": Trace()}])


@st.composite
def points(draw: st.DrawFn) -> Job:
    device, size = draw(DEVICES), draw(st.integers(1, 2))
    if draw(st.booleans()):
        return point(draw(FAKES), device, size)
    return point(draw(REAL), device, size, draw(MODELS), **draw(PROFILERS))


def lasting(record: RunRecord) -> dict[str, Any]:
    """The record without times, and without what the machine was doing."""
    plain = record.to_json()
    metrics = {
        name: row["value"]
        for name, row in plain["metrics"].items()
        if name.partition("/")[0].partition("_per_")[0] not in TIMES
    }
    facts = {k: v for k, v in plain["system"].get("facts", {}).items() if not k.endswith("load_s")}
    device = dict(plain["environment"].get("device", {}))
    device.pop("heap_kept_before", None)
    kept = ("status", "reason", "config", "dataset", "transcripts", "scope")
    return {
        **{name: plain[name] for name in kept},
        "metrics": metrics,
        "facts": facts,
        "device": device,
        "decoded": [(s.utterances, s.tokens, s.again, list(s.stages)) for s in record.samples],
        "tags": {k: v for k, v in record.tags.items() if not k.startswith("timing/")},
    }


@functools.cache
def alone() -> dict[str, Any]:
    """What a point finds before any other one is measured."""
    return witnessed()


def witnessed() -> dict[str, Any]:
    witness = Witness()
    record = run(point(witness, Cpu()))
    assert record.status == "ok", record.reason
    return witness.found[0]


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What differs: of variables and warnings only those that came or went."""
    differing = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    for key in {"variables", "warnings"} & differing.keys():
        old, new = (
            set(map(str, dict(side).items() if key == "variables" else side))
            for side in differing[key]
        )
        differing[key] = (sorted(old - new), sorted(new - old))
    return differing


@ORDERS
@given(before=st.lists(points(), min_size=1, max_size=3), made=CACHES)
def test_a_point_finds_the_process_as_if_it_were_the_first(
    before: Sequence[Job], made: Callable[[], ModelCache | None]
) -> None:
    expected, cache = alone(), made()
    for job in before:
        run(job, cache=cache)
    assert changed(expected, witnessed()) == {}


@ORDERS
@given(one=points(), other=points(), made=CACHES)
def test_a_record_is_the_same_whichever_point_was_first(
    one: Job, other: Job, made: Callable[[], ModelCache | None]
) -> None:
    def measured(*jobs: Job) -> list[dict[str, Any]]:
        cache = made()
        return [lasting(run(job, cache=cache)) for job in jobs]

    first, second = measured(one, other)
    again, before = measured(other, one)
    assert (first, second) == (before, again)


@ORDERS
@given(one=points(), other=points())
def test_a_system_that_stayed_loaded_gives_the_same_again(one: Job, other: Job) -> None:
    """One, then another, then the first again, which several that stay loaded still have."""
    cache = ModelCache(spare_bytes=0)
    first, _, again = (lasting(run(job, cache=cache)) for job in (one, other, one))
    assert again == first
