"""The decoder study: laws on a fake clock are found again,
formulas agree with what transformers really keeps."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.fakes import (
    FakeClock,
    FakeDevice,
    ScriptedSystem,
    make_session,
    make_spec,
    noise,
    transcription,
    utterances,
)
from support.networks import moonshine, whisper

from asr_scaling.core.metrics import METRICS
from asr_scaling.core.ports import Session
from asr_scaling.core.record import Findings
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.transformers import Transformers
from asr_scaling.errors import ConfigError, OutOfMemoryError
from asr_scaling.model.transformers_objects import random_model
from asr_scaling.optimisation.prune import RemoveWeakest
from asr_scaling.profiler.decoder import Decoder
from asr_scaling.profiler.decoder.kv_cache import kv_cache

BRIEF = Decoder(seconds=1e-9, traced_steps=4)
"""Three calls, and one without a cache."""
STEPWISE = make_spec(
    tokens_per_s=3.0, architecture={"decoder_layers": 2, "decoder_attention_heads": 2, "d_model": 8}
)
Step = Callable[[int], float]


def scripted(
    clock: FakeClock, step: Step, tokens: tuple[int, ...] = (10,), runs: int = 1, **facts: Any
) -> ScriptedSystem:
    """Takes ``step(position)`` seconds a step, for as many steps
    as the longest utterance has tokens, and one more."""

    def script(batch: Any, probe: Any) -> Any:
        for _ in range(runs):
            probe.stage("decoder")
            for position in range(1, max(tokens) + 2):
                clock.sleep(step(position))
                probe.token()
        probe.stage("text")
        return transcription(batch, tokens=tokens * (len(batch) // len(tokens)))

    return ScriptedSystem(script, **facts)


def measured(
    system: Any, folder: Path, clock: FakeClock, size: int = 1, engine: Any = None, **changes: Any
) -> Findings:
    options = {"model": STEPWISE, "device": FakeDevice(clock), "folder": folder}
    session = make_session(system, utterances([1.0, 2.0, 3.0, 4.0]), size, **(options | changes))
    session.engine = engine  # type: ignore[attr-defined]
    return BRIEF.measure(session)


def values(found: Findings) -> dict[str, float]:
    return {metric.name: metric.value for metric in found.metrics}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class TestByPosition:
    def test_the_slope_is_that_of_the_steps_after_the_first(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        found = measured(
            scripted(clock, lambda i: 9.0 if i == 1 else 0.1 + 0.01 * i), tmp_path, clock
        )
        assert values(found)["decoder/step_slope_s"] == pytest.approx(0.01)
        assert values(found)["decoder/step_s"] == pytest.approx(
            0.1 + 0.01 * 6.5
        )  # positions 2 to 11
        rows = table(tmp_path / "decoder_steps.csv")
        assert [row["position"] for row in rows[:10]] == [str(i) for i in range(2, 12)]
        assert float(rows[0]["seconds"]) == pytest.approx(0.12)
        assert {row["call"] for row in rows} == {"0", "1", "2"}

    def test_slow_and_fast_calls_do_not_tilt_it(self, tmp_path: Path, clock: FakeClock) -> None:
        offsets = iter([0.0] * 11 + [5.0] * 11 + [1.0] * 11)
        found = measured(scripted(clock, lambda i: 0.1 + 0.02 * i + next(offsets)), tmp_path, clock)
        assert values(found)["decoder/step_slope_s"] == pytest.approx(0.02)

    def test_its_interval_is_over_calls(self, tmp_path: Path, clock: FakeClock) -> None:
        slopes = iter([0.01] * 11 + [0.02] * 11 + [0.03] * 11)
        found = measured(scripted(clock, lambda i: 0.1 + next(slopes) * i), tmp_path, clock)
        (metric,) = (each for each in found.metrics if each.name == "decoder/step_slope_s")
        assert (metric.value, metric.n) == (pytest.approx(0.02), 3)
        assert metric.interval is not None
        assert metric.interval.half(0.02) == pytest.approx(
            4.303 * 0.01 / 3**0.5, rel=1e-3
        )  # Student's t, 2 degrees

    def test_only_steps_of_the_whole_batch_count(self, tmp_path: Path, clock: FakeClock) -> None:
        """After the fourth token one of two utterances has ended, and steps cost half."""
        found = measured(
            scripted(clock, lambda i: (0.1 + 0.01 * i) * (1 if i <= 5 else 0.5), tokens=(4, 10)),
            tmp_path,
            clock,
            size=2,
        )
        assert values(found)["decoder/step_slope_s"] == pytest.approx(0.01)
        rows = table(tmp_path / "decoder_steps.csv")
        assert [row["position"] for row in rows if row["whole_batch"] == "True"][:4] == [
            "2",
            "3",
            "4",
            "5",
        ]

    def test_every_window_begins_at_its_first_position(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        found = measured(
            scripted(clock, lambda i: 7.0 if i == 1 else 0.1 * i, runs=2), tmp_path, clock
        )
        assert values(found)["decoder/step_slope_s"] == pytest.approx(0.1)
        assert {row["run"] for row in table(tmp_path / "decoder_steps.csv")} == {"0", "1"}

    def test_windows_of_a_batch_end_nobody_knows_when(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        found = measured(
            scripted(clock, lambda i: 0.1, tokens=(4, 10), runs=2), tmp_path, clock, size=2
        )
        assert "whole batch" in found.unavailable["decoder/step_slope_s"]
        assert values(found)["decoder/step_s"] == pytest.approx(0.1)


class TestWhatIsNotThere:
    def test_a_model_without_steps(self, tmp_path: Path, clock: FakeClock) -> None:
        system = ScriptedSystem(lambda batch, probe: pytest.fail("nothing to call for"))
        found = measured(system, tmp_path, clock, model=make_spec())
        assert set(found.unavailable.values()) == {"the model does not decode step by step"}
        wanted = {name for name in METRICS if name.startswith("decoder/") and "*" not in name}
        assert wanted | {"decoder/ops_gemm_s", "decoder/ops_outside_s"} <= set(found.unavailable)
        assert list(tmp_path.iterdir()) == []

    def test_an_engine_that_shows_none(self, tmp_path: Path, clock: FakeClock) -> None:
        found = measured(ScriptedSystem(lambda batch, probe: None), tmp_path, clock)
        assert set(found.unavailable.values()) == {
            "the engine shows no decoding steps after the first"
        }

    def test_an_engine_without_torch_or_a_cache_to_leave_out(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        found = measured(
            scripted(clock, lambda i: 0.1, dtype="int8"), tmp_path, clock, engine=object()
        )
        assert found.unavailable["decoder/ops_gemm_s"] == "the engine runs no torch operators"
        assert found.unavailable["decoder/uncached_ratio"] == "the engine can't leave its cache out"
        assert "computes in 'int8'" in found.unavailable["decoder/kv_token_bytes"]
        assert found.artifacts == ("decoder_steps.csv",)

    def test_frames_of_a_shortened_window_that_nobody_showed(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        model = replace(
            STEPWISE, architecture={**STEPWISE.architecture, "max_source_positions": 1500}
        )
        system = scripted(clock, lambda i: 0.1)
        whole = measured(system, tmp_path, clock, model=model)
        assert (
            values(whole)["decoder/kv_cross_bytes"] == 1500 * 2 * 2 * 8 * 4
        )  # keys and values, layers, width, float32
        assert whole.tags["decoder/kv_cross"] == "the model's whole window"
        short = measured(
            system, tmp_path, clock, model=model, engine=Cached(system, window_margin_s=2.0)
        )
        assert "doesn't show its encoder's output" in short.unavailable["decoder/kv_cross_bytes"]
        assert values(short)["decoder/kv_token_bytes"] == 2 * 2 * 8 * 4

    @pytest.mark.parametrize("options", [{"seconds": 0.0}, {"traced_steps": 0}])
    def test_options(self, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"profiler\.decoder"):
            Decoder(**options)


class TestWithoutCache:
    def test_its_cost_is_against_the_same_steps_with_one(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        other = scripted(clock, lambda i: 0.1 + 0.05 * i)
        found = measured(scripted(clock, lambda i: 0.1), tmp_path, clock, engine=Cached(other))
        mean = 0.1 + 0.05 * 6.5
        assert values(found)["decoder/uncached_step_s"] == pytest.approx(mean)
        assert values(found)["decoder/uncached_slope_s"] == pytest.approx(0.05)
        assert values(found)["decoder/uncached_ratio"] == pytest.approx(mean / 0.1)
        assert other.closed == 1
        assert [row["cache"] for row in table(tmp_path / "decoder_steps.csv")][-10:] == [
            "none"
        ] * 10

    def test_what_was_measured_without_one_has_none(self, tmp_path: Path, clock: FakeClock) -> None:
        system = scripted(clock, lambda i: 0.1)
        found = measured(system, tmp_path, clock, engine=Cached(system, cache="none"))
        assert (
            found.unavailable["decoder/uncached_step_s"] == "engine.cache=none is what was measured"
        )
        assert "keeps no keys and values" in found.unavailable["decoder/kv_self_bytes"]

    def test_why_it_can_not_be_had_is_said(self, tmp_path: Path, clock: FakeClock) -> None:
        system = scripted(clock, lambda i: 0.1, compile_s=1.0)
        assert (
            "compiled"
            in measured(system, tmp_path, clock, engine=Cached(system)).unavailable[
                "decoder/uncached_ratio"
            ]
        )
        system = scripted(clock, lambda i: 0.1)
        for engine, said in (
            (Cached(system, refuses=True), "Leave it."),
            (Cached(system, full=True), "Too large."),
        ):
            assert (
                measured(system, tmp_path, clock, engine=engine).unavailable[
                    "decoder/uncached_ratio"
                ]
                == said
            )


@dataclass(frozen=True)
class Cached:
    """An engine with a cache; without it, it refuses, is too large, or loads ``system``."""

    system: ScriptedSystem
    cache: str = "dynamic"
    refuses: bool = False
    full: bool = False
    window_margin_s: float | None = None

    def __post_init__(self) -> None:
        if self.cache == "none" and self.refuses:
            raise ConfigError("Leave it.")

    def check(self, model: Any) -> None:
        return

    def load(self, model: Any, device: Any) -> ScriptedSystem:
        if self.full:
            raise OutOfMemoryError("Too large.")
        return self.system


@pytest.fixture(scope="module", params=[whisper, moonshine], ids=["whisper", "moonshine"])
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Session, Findings]]:
    """A small network of random weights, measured."""
    import torch

    threads, device = torch.get_num_threads(), Cpu(threads=1)
    torch.set_num_threads(1)
    spec, engine = replace(request.param(), tokens_per_s=8.0), Transformers()
    options = {"model": spec, "device": device, "folder": tmp_path_factory.mktemp("decoder")}
    session = make_session(engine.load(spec, device), [noise(1.0, "a"), noise(1.5, "b")], **options)
    session.engine = engine  # type: ignore[attr-defined]
    yield session, BRIEF.measure(session)
    torch.set_num_threads(threads)


class TestOfTransformers:
    def test_everything_is_measured(self, real: tuple[Session, Findings]) -> None:
        _, found = real
        assert found.unavailable == {}
        assert found.artifacts == ("decoder_steps.csv", "kv_cache.csv")
        assert values(found)["decoder/uncached_step_s"] > 0

    def test_operators_and_what_is_outside_them_are_the_step(
        self, real: tuple[Session, Findings]
    ) -> None:
        found = values(real[1])
        parts = [value for name, value in found.items() if name.startswith("decoder/ops_")]
        assert len(parts) == 7
        assert sum(parts) == pytest.approx(found["decoder/profiled_step_s"])
        assert (
            found["decoder/ops_gemm_s"] > 0 == found["decoder/ops_convolution_s"]
        )  # the encoder's are not counted

    def test_the_formula_is_what_transformers_keeps(self, real: tuple[Session, Findings]) -> None:
        import torch

        session, findings = real
        network = session.system.modules["model"]
        kept: list[Any] = []
        hook = network.register_forward_hook(lambda *call: kept.append(call[-1].past_key_values))
        session.transcribe(session.batches[0])
        hook.remove()
        cache = kept[-1]

        def held(part: Any) -> int:
            tensors: list[torch.Tensor] = [
                t for layer in part.layers for t in (layer.keys, layer.values)
            ]
            return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

        found, tokens = values(findings), cache.self_attention_cache.get_seq_length()
        assert tokens > 4
        assert held(cache.self_attention_cache) == found["decoder/kv_token_bytes"] * tokens
        assert held(cache.cross_attention_cache) == found["decoder/kv_cross_bytes"]
        rows = {int(row["tokens"]): row for row in table(session.folder / "kv_cache.csv")}
        assert int(rows[4]["self_bytes"]) == 4 * found["decoder/kv_token_bytes"]
        assert max(rows) in (448, 194)


def test_fewer_key_value_heads_and_half_the_bytes_halve_it() -> None:
    whole = kv_cache(moonshine(), "float32")
    shared = kv_cache(
        replace(
            moonshine(), architecture={**moonshine().architecture, "decoder_num_key_value_heads": 1}
        ),
        "float16",
    )
    assert not isinstance(whole, str)
    assert not isinstance(shared, str)
    assert whole.token_bytes == 2 * 2 * 16 * 4  # keys and values, layers, width, float32
    assert shared.token_bytes == whole.token_bytes // 4
    assert "no attention" in str(kv_cache(make_spec(), "float32"))


def test_heads_that_are_pruned_keep_nothing() -> None:
    spec = whisper()
    network, before = random_model(spec), kv_cache(spec, "float32")
    assert kv_cache(spec, "float32", network) == before
    RemoveWeakest(0.5).change(network, spec, FakeDevice())
    after = kv_cache(spec, "float32", network)
    assert not isinstance(before, str)
    assert not isinstance(after, str)
    assert before.token_bytes == 2 * 2 * 16 * 4
    assert after.token_bytes == before.token_bytes // 2
