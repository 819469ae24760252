"""What earlier processes say of a machine's state, on simulated machines whose truth is known."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from asr_scaling.core.earlier import Earlier
from asr_scaling.core.learned_state import (
    Coefficients,
    LearnedState,
    coefficients_of,
    with_coefficients,
)
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.sample import Beat, Sample
from asr_scaling.core.usual_figures import with_usual
from asr_scaling.core.usual_state import at_usual

PROBES = ("dispatch", "memory", "products")


@dataclass(frozen=True)
class Machine:
    """A machine, and systems that lean on it alike.

    leans: coefficient of each probe.
    unlike: standard deviation between systems of each coefficient.
    state: standard deviation of the logarithm of each probe between processes.
    noise: the same of a process's figure beside that.
    read: the same of the reading of a process's state.
    """

    leans: Sequence[float] = (0.0, 0.2, 0.7)
    unlike: float = 0.0
    state: float = 0.05
    noise: float = 0.02
    read: float = 0.0

    def measured(
        self, seed: int, measurements: int, systems: int = 2, processes: int = 3
    ) -> list[Earlier]:
        """Measurements of the systems in turn, each with speech of its own."""
        random = np.random.default_rng(seed)
        own = np.array(self.leans) + random.normal(0, self.unlike, (systems, 3))
        usual, found = random.normal(0, 0.5, systems), list[Earlier]()
        for number in range(measurements):
            system = number % systems
            states = random.normal(0, self.state, (processes, 3))
            logs = usual[system] + states @ own[system] + random.normal(0, self.noise, processes)
            shown = 0.005 * np.exp(states + random.normal(0, self.read, states.shape))
            rows = tuple(dict(zip(PROBES, row, strict=True)) for row in shown.tolist())
            found.append(Earlier(f"s{system}", number, tuple(logs.tolist()), "speech", rows))
        return found


def test_the_coefficients_of_a_machine_are_found():
    found = LearnedState(Machine().measured(1, 60)).coefficients("s0")
    assert found is not None
    assert found.probes == PROBES
    assert found.values == pytest.approx(Machine().leans, abs=0.1)
    assert found.processes == 180
    truth = (0.05**2 * (0.2**2 + 0.7**2)) / (0.05**2 * (0.2**2 + 0.7**2) + 0.02**2)
    assert found.explained == pytest.approx(truth, abs=0.1)


def test_what_is_left_of_processes_that_were_held_out_is_their_own_noise():
    earlier = Machine().measured(2, 60)
    left = LearnedState(earlier).left()
    assert [len(logs) for logs in left] == [3] * 60
    between = math.sqrt(float(np.mean([np.var(logs, ddof=1) for logs in left])))
    assert between == pytest.approx(0.02, rel=0.15)
    assert math.sqrt(float(np.mean([np.var(e.logs, ddof=1) for e in earlier]))) > 1.8 * between


def test_a_state_that_says_nothing_of_the_figures_is_not_trusted():
    idle = Machine(leans=(0, 0, 0))
    trusted = sum(LearnedState(idle.measured(seed, 12)).trusted for seed in range(80))
    assert trusted <= 80 * 0.05
    assert LearnedState(idle.measured(0, 12)).coefficients("s0") is None


def test_times_and_states_that_drift_each_by_itself_are_not_trusted():
    """Both are random walks: a test for independent processes would trust more than half."""
    trusted = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        logs, states = (0.01 * random.normal(size=(2, 60)).cumsum(axis=1)).tolist()
        rows = [
            Earlier(
                "s", k, tuple(logs[k : k + 3]), "x",
                tuple({"memory": 0.005 * math.exp(state)} for state in states[k : k + 3]),
            )
            for k in range(0, 60, 3)
        ]  # fmt: skip
        trusted += LearnedState(rows).trusted
    assert trusted <= 60 * 0.15


def test_a_state_that_says_much_is_trusted_soon():
    trusted = sum(LearnedState(Machine().measured(seed, 8)).trusted for seed in range(40))
    assert trusted >= 34


def test_processes_beside_which_another_program_ran_count_little():
    earlier = Machine().measured(4, 30)
    loaded = replace(
        earlier[0],
        logs=tuple(log + k / 2 for k, log in enumerate(earlier[0].logs)),
        states=tuple({probe: 3 * s / (1 + k) for probe, s in state.items()}
                     for k, state in enumerate(earlier[0].states)),
    )  # fmt: skip
    without, found = (
        LearnedState(measured).coefficients("s0") for measured in (earlier, [loaded, *earlier])
    )
    assert without is not None
    assert found is not None
    assert found.values == pytest.approx(without.values, abs=0.1)


def test_the_error_of_a_shift_is_what_it_says_for_systems_that_were_and_were_not_measured():
    off = np.array([0.02, -0.06, 0.08])
    for system, seen in (("s0", 6), ("s5", 5)):
        held, of, wrongs, bounds = 0, 0, list[float](), list[float]()
        for seed in range(50):
            machine = Machine(leans=(0.3, 0.3, 0.6), unlike=0.15)
            random = np.random.default_rng(seed)
            leans = np.array(machine.leans) + random.normal(0, 0.15, (6, 3))
            rows = [
                replace(e, system=f"s{k}")
                for k in range(seen)
                for e in replace(machine, leans=leans[k], unlike=0.0).measured(seed * 7 + k, 4, 1)
            ]
            found = LearnedState(rows).coefficients(system)
            if found is None:
                continue
            wrong = found.shift(off) - float(off @ leans[int(system[1])])
            wrongs.append(wrong)
            bounds.append(1.96 * found.error(off))
            of, held = of + 1, held + (abs(wrong) <= bounds[-1])
        assert of >= 40
        assert 0.9 * of <= held
        assert np.mean(bounds) < 4 * np.sqrt(np.mean(np.square(wrongs)))


def test_a_probe_that_the_newest_measurement_lacks_is_left_out_and_one_it_has_is_needed():
    earlier = Machine().measured(3, 30)
    fewer = [
        replace(one, states=tuple({"products": s["products"]} for s in one.states))
        for one in earlier[-1:]
    ]
    assert LearnedState([*earlier[:-1], *fewer]).probes == ("products",)
    learned = LearnedState([*fewer, *earlier[:-1]])
    assert (learned.probes, learned.processes) == (PROBES, 29 * 3)
    assert learned.left()[0] == ()


@pytest.mark.parametrize("earlier", [[], [Earlier("s", 0.0, (0.1,), "x", ({"memory": 1.0},))]])
def test_too_little_is_not_trusted(earlier: list[Earlier]):
    learned = LearnedState(earlier)
    assert not learned.trusted
    assert learned.coefficients("s") is None


def test_a_record_keeps_them():
    found = Coefficients(("memory",), (0.5,), ((0.01,),), 0.4, 30)
    facts = with_coefficients({"host": "h"}, found)
    assert coefficients_of(json.loads(json.dumps(facts))) == found
    for nothing in ({}, {"state_coefficients": None}, {"state_coefficients": {"values": 1}}):
        assert coefficients_of(nothing) is None


class TestRecords:
    """A record says what its figures at the usual state were learned from."""

    def record(self, learned: bool) -> RunRecord:
        facts = {"certificate": {"usual_state": {"memory": 1.0}}}
        coefficients = Coefficients(("memory",), (0.5,), ((0.04,),), 0.4, 30)
        return RunRecord(
            "point", "ok", {}, with_coefficients(facts, coefficients) if learned else facts,
            samples=tuple(TestShifts().calls()), beats=tuple(TestShifts().beats()),
            metrics=(Metric("latency/mean_s", 2.0),),
        )  # fmt: skip

    def test_from_earlier_processes(self):
        found = with_usual(self.record(learned=True))
        assert found.tags == {"usual/learned_from": "30 processes measured earlier"}
        assert found.values["usual/latency/mean_s"] == pytest.approx(4 / 3)
        shares = [m for m in found.metrics if m.name == "usual/explained_share"]
        assert [(metric.value, metric.n) for metric in shares] == [(0.4, 30)]

    def test_nothing_where_nothing_was_adjusted(self):
        adjusted = with_usual(self.record(learned=True))
        facts = self.record(learned=False).environment
        found = with_usual(replace(adjusted, environment=facts))
        assert "usual/learned_from" not in found.tags
        assert "usual/latency/mean_s" in found.unavailable


class TestShifts:
    found = Coefficients(("memory",), (0.5,), ((0.04,),), 0.4, 30)

    def calls(self) -> list[Sample]:
        return [Sample(("a",), 1.0, 1.0, 2.0, {"encoder": 1.0}, process=k) for k in (0, 0, 1)]

    def beats(self) -> list[Beat]:
        return [Beat(t, {"memory": s}, k) for k, t, s in ((0, 0, 4.0), (0, 1, 4.0), (1, 0, 1.0))]

    def test_all_calls_of_a_process_are_shifted_by_its_median_state(self):
        shown = at_usual(self.calls(), self.beats(), {"memory": 1.0}, self.found)
        assert (shown.made, shown.explained, shown.learned) == (True, 0.4, 30)
        assert [call.total_s for call in shown.samples] == pytest.approx([1.0, 1.0, 2.0])
        assert shown.samples[0].stages["encoder"] == pytest.approx(0.5)
        assert shown.coefficients == {"memory": 0.5}
        assert shown.shift_error == pytest.approx(0.2 * math.log(4) / 2)

    @pytest.mark.parametrize("reference", [None, {"dispatch": 1.0}])
    def test_without_the_probes_usual_value_they_do_not_serve(self, reference):
        shown = at_usual(self.calls(), self.beats(), reference, self.found)
        assert (shown.made, shown.samples) == (False, tuple(self.calls()))
