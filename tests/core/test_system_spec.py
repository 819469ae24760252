"""How optimisations compose: options that are set, changes to a network, refusals;
that their order is no matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import pytest
from support.fakes import FakeDevice, make_spec

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.decoding import Decoding
from asr_scaling.core.ports import Changed, SystemSpec, Turn
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError

Apply = Callable[[SystemSpec], SystemSpec]


@dataclass(frozen=True)
class Engine:
    """An engine with options and a network."""

    dtype: str = "float32"
    threads: int = 1
    changes: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.dtype == "float64":
            raise ConfigError("engine.dtype must be short; got 'float64'.")


@dataclass(frozen=True)
class Rigid:
    """An engine without a network that could be changed."""

    dtype: str = "float32"


@dataclass(frozen=True)
class Step:
    kind: str
    turn: Turn

    def change(self, network: Any, model: Any, device: Any) -> Changed:
        return Changed([*network, self.kind], f"{self.kind} changed")


@dataclass(frozen=True)
class By:
    """An optimisation that does what it is given."""

    do: Apply

    def apply(self, system: SystemSpec) -> SystemSpec:
        return self.do(system)


@dataclass(frozen=True)
class Fussy:
    """One that judges the whole."""

    def apply(self, system: SystemSpec) -> SystemSpec:
        return system

    def check(self, system: SystemSpec) -> None:
        if system.engine.dtype == "float32":  # type: ignore[attr-defined]
            system.refuse("needs another data type")


def start(engine: Any = None) -> SystemSpec:
    return SystemSpec(make_spec(), engine or Engine(), FakeDevice(), Fixed(1))


def composed(system: SystemSpec, optimisation: dict[str, Any]) -> SystemSpec:
    return replace(system, optimisation=optimisation).composed()


def sets(**options: Any) -> By:
    return By(lambda system: system.set("engine", **options))


def changes(kind: str, turn: Turn) -> By:
    return By(lambda system: system.change(Step(kind, turn)))


HALF, FEW = sets(dtype="float16"), sets(threads=4)
PRUNE, FUSE = changes("heads", Turn.REMOVE), changes("projections", Turn.JOIN)
PACK, PACK_TOO = changes("weights", Turn.PACK), changes("weights", Turn.PACK)


class TestSet:
    def test_options_of_several(self):
        engine = composed(start(), {"half": HALF, "few": FEW}).engine
        assert engine == Engine(dtype="float16", threads=4)

    def test_what_was_there_stays(self):
        parts = start()
        composed(parts, {"half": HALF})
        assert parts.engine == Engine()

    def test_other_parts(self):
        parts = composed(start(), {"more": By(lambda system: system.set("batch", size=8))})
        assert parts.batch == Fixed(8)
        assert parts.engine == Engine()

    def test_an_option_that_is_not_there(self):
        with pytest.raises(
            ConfigError, match=r"^optimisation=few sets engine\.threads, which .* does not have\.$"
        ):
            composed(start(Rigid()), {"few": FEW})

    def test_a_value_that_the_engine_refuses(self):
        with pytest.raises(
            ConfigError, match=r"optimisation=long is not possible .* got 'float64'\.$"
        ):
            composed(start(), {"long": sets(dtype="float64")})

    def test_two_that_set_one_option_alike(self):
        assert composed(start(), {"a": HALF, "b": sets(dtype="float16")}).engine == Engine(
            dtype="float16"
        )

    def test_two_that_contradict_each_other(self):
        other = sets(dtype="bfloat16")
        with pytest.raises(
            ConfigError,
            match=r"optimisation=b and optimisation=a both set engine\.dtype: choose one",
        ):
            composed(start(), {"a": HALF, "b": other})
        with pytest.raises(ConfigError, match=r"both set engine\.dtype"):
            composed(start(), {"b": other, "a": HALF})

    def test_two_that_contradict_each_other_where_one_wants_the_default(self):
        both = {"a": sets(dtype="float32"), "b": HALF}
        for names in permutations(both):
            with pytest.raises(ConfigError, match=r"both set engine\.dtype"):
                composed(start(), {name: both[name] for name in names})

    def test_the_users_own_value(self):
        with pytest.raises(
            ConfigError,
            match=r"optimisation=half sets engine\.dtype to float16, and you set it to bf",
        ):
            composed(start(Engine(dtype="bfloat16")), {"half": HALF})
        assert composed(start(Engine(dtype="float16")), {"half": HALF}).engine == Engine(
            dtype="float16"
        )


class TestChange:
    def test_what_is_listed_last_may_come_first(self):
        every = {"prune": PRUNE, "fuse": FUSE, "pack": PACK}
        engines = {
            composed(start(), {name: every[name] for name in names}).engine
            for names in permutations(every)
        }
        (engine,) = engines
        assert [change.kind for change in engine.changes] == ["heads", "projections", "weights"]

    def test_changes_of_one_turn_have_an_order_too(self):
        every = {"a": changes("rows", Turn.JOIN), "b": changes("columns", Turn.JOIN)}
        engines = {
            composed(start(), {name: every[name] for name in names}).engine
            for names in permutations(every)
        }
        assert len(engines) == 1

    def test_two_of_a_kind(self):
        with pytest.raises(
            ConfigError,
            match=r"optimisation=b and optimisation=a both change the weights: choose one",
        ):
            composed(start(), {"a": PACK, "b": PACK_TOO})

    def test_an_engine_without_a_network(self):
        with pytest.raises(
            ConfigError, match=r"optimisation=fuse changes a torch network, and engine=.* has none"
        ):
            composed(start(Rigid()), {"fuse": FUSE})


class TestWhole:
    def test_what_judges_the_whole_is_asked_last(self):
        assert composed(start(), {"fussy": Fussy(), "half": HALF}).engine == Engine(dtype="float16")
        assert composed(start(), {"half": HALF, "fussy": Fussy()}).engine == Engine(dtype="float16")

    def test_and_refuses_in_its_own_name(self):
        with pytest.raises(ConfigError, match=r"^optimisation=fussy needs another data type\.$"):
            composed(start(), {"fussy": Fussy(), "few": FEW})

    def test_none_at_all(self):
        parts = start()
        assert parts.composed() is parts

    def test_has(self):
        assert start().has("engine", "dtype")
        assert start().has("batch", "size")
        assert not replace(
            start(),
            engine=Rigid(),  # type: ignore[arg-type]
        ).has("engine", "changes")


class TestDecoding:
    def test_an_engine_is_told(self):
        rule = Decoding(temperatures=(0.0, 0.5))
        system = replace(start(Fake()), decoding=rule).composed()
        assert system.engine == Fake(decoding=rule)
        assert system.called == "fallback on fake"

    def test_an_engine_that_can_not_is_refused(self):
        with pytest.raises(ConfigError, match=r"can't decode by decoding=beam: leave it out\.$"):
            replace(start(), decoding=Decoding(beam=5)).composed()

    def test_greedy_is_what_every_engine_does(self):
        assert start().composed().engine == Engine()
