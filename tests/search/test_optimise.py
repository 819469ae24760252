"""The search on made-up records: it finds the known best, keeps its budget, wastes nothing,
and says what it left."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.benches import BASE, SECONDS, Bench, options

from asr_scaling.errors import EngineError
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.search.combination import combine
from asr_scaling.search.optimise import optimise
from asr_scaling.search.outcome import Answer, Outcome
from asr_scaling.search.search_log import SearchLog

GAINS = {"a": 2.4, "b": 1.5, "c": 1.2, "slow": 0.7}


def only(found: Outcome) -> Answer:
    (answer,) = found.answers
    return answer


def reasons(found: Outcome) -> dict[tuple[str, int], tuple[str, str]]:
    return {
        (each.entry.candidate.label, each.entry.batch): (each.kind, each.why) for each in found.left
    }


def test_gains_multiply_and_are_exact():
    found = only(optimise(options(), Bench(GAINS)))
    assert found.winner.candidate == Candidate("transformers", ("a", "b", "c"))
    assert found.total.factor == pytest.approx(2.4 * 1.5 * 1.2)
    assert found.total.interval is not None
    assert found.total.interval.low == pytest.approx(4.32, rel=1e-5)
    assert (found.stage, found.rounds) == ("final", 3)
    assert [(step.name, round(step.gain.factor, 6)) for step in found.steps] == [
        ("a", 2.4),
        ("b", 1.5),
        ("c", 1.2),
    ]


def test_the_better_engine_wins_with_what_helps_it():
    found = only(optimise(options(), Bench({"other": 3.0, "a": 1.3})))
    assert found.winner.candidate == Candidate("other", ("a",))
    assert [step.name for step in found.steps] == ["other", "a"]
    assert found.other is not None
    assert found.other.entry.candidate == Candidate("other")


def test_what_does_not_help_beside_the_others_is_not_kept():
    bench = Bench(GAINS, joint={frozenset("ab"): 1 / 1.5})
    assert only(optimise(options(), bench)).winner.candidate == Candidate(
        "transformers", ("a", "c")
    )


def test_what_another_makes_useless_is_dropped_again():
    """b helps until c is there, which does what b did and more."""
    gains = {"a": 2.0, "b": 1.5, "c": 1.4}
    bench = Bench(gains, joint={frozenset("bc"): 1 / 1.5, frozenset("abc"): 1.2})
    found = only(optimise(options(), bench))
    assert ("transformers + a + c", 1) in bench.measured("together")
    assert found.winner.candidate.optimisations == max(
        [("a", "b"), ("a", "c"), ("a", "b", "c")],
        key=lambda names: bench.factor(Entry(Candidate("t", names), 1)),
    )


def test_nothing_helps():
    found = only(optimise(options(), Bench({"slow": 0.5})))
    assert found.winner == found.baseline == Entry(BASE, 1)
    assert (found.total.factor, found.steps) == (pytest.approx(1.0), ())


def test_speed_that_costs_words_does_not_win():
    outcome = optimise(options(), Bench(GAINS, wer={"a": 5.0}))
    assert only(outcome).winner.candidate == Candidate("transformers", ("b", "c"))
    kind, why = reasons(outcome)["transformers + a", 1]
    assert (kind, why) == ("WER", "WER rose by 5.0 points, and optimiser.max_wer_loss allows 0.5.")
    assert (
        only(
            optimise(options(max_wer_loss=6), Bench(GAINS, wer={"a": 5.0}))
        ).winner.candidate.optimisations[0]
        == "a"
    )


def test_random_weights_have_no_wer_and_it_is_said():
    outcome = optimise(options(), Bench(GAINS, random=True))
    assert only(outcome).total.wer is None
    assert only(outcome).winner.candidate.optimisations == ("a", "b", "c")
    assert "No WER is known" in outcome.notes[0]


def test_what_is_refused_is_never_measured_and_named_once():
    refused = {
        "a": ("refused", "a makes no sense here."),
        "other": ("not installed", "run pip install other"),
    }
    bench = Bench(GAINS, refused=refused)
    outcome = optimise(options(), bench)
    assert only(outcome).winner.candidate == Candidate("transformers", ("b", "c"))
    assert reasons(outcome)["transformers + a", 1] == ("refused", "a makes no sense here.")
    assert reasons(outcome)["other", 1] == ("not installed", "run pip install other")
    assert sum("a makes no sense" in why for _, why in reasons(outcome).values()) == 1


def test_combinations_that_clash_are_passed_over():
    bench = Bench(GAINS, clash=(frozenset("ab"),))
    outcome = optimise(options(), bench)
    assert only(outcome).winner.candidate == Candidate("transformers", ("a", "c"))
    assert reasons(outcome)["transformers + a + b", 1] == ("refused", "a and b clash.")


def test_what_needs_another_is_tried_behind_or_before_it():
    behind = only(optimise(options(), Bench(GAINS, needs={"b": "a"})))
    assert behind.winner.candidate.optimisations == ("a", "c", "b")
    before = only(optimise(options(), Bench(GAINS, first=("b",))))
    assert before.winner.candidate.optimisations == ("b", "a", "c")


def test_a_candidate_that_breaks_is_named_and_the_rest_goes_on():
    outcome = optimise(options(), Bench(GAINS, failing=("b",)))
    assert only(outcome).winner.candidate == Candidate("transformers", ("a", "c"))
    assert reasons(outcome)["transformers + b", 1] == ("failed", "failed: it broke")


def test_a_baseline_that_breaks_ends_the_search_with_the_reason():
    with pytest.raises(
        EngineError, match=r"engine=transformers, can't be measured \(failed: it broke\)"
    ):
        optimise(options(), Bench(GAINS, failing=("transformers",)))


def test_noise_wins_nothing():
    found = only(optimise(options(), Bench({"a": 1.004, "b": 0.998}, noise=0.02)))
    assert found.winner == found.baseline


class TestBetweenProcesses:
    """Processes differ by 4 %, and most points of a search are of one."""

    def test_what_no_single_process_proves_is_found_and_proven_by_the_final(self):
        bench = Bench({"a": 1.25, "b": 1.15, "c": 1.12}, between=0.04)
        found = only(optimise(options(engines=("transformers",)), bench))
        assert {"a", "b"} <= set(found.winner.candidate.optimisations)
        assert found.total.faster
        assert found.total.factor == pytest.approx(bench.factor(found.winner), rel=0.1)

    def test_what_processes_differ_by_wins_nothing(self):
        names = tuple(f"x{i}" for i in range(12))
        bench = Bench({}, between=0.04)
        found = only(optimise(options(optimisations=names, minutes=60), bench))
        assert found.winner == found.baseline
        assert found.stage == "final"

    def test_nothing_is_left_for_being_slower_by_chance(self):
        bench = Bench({"a": 0.95, "slow": 0.6}, between=0.04)
        outcome = optimise(options(batches=(1, 16)), bench)
        left = {label for (label, _), (_, why) in reasons(outcome).items() if "slower" in why}
        assert left == {"transformers + slow"}


class TestBatches:
    def test_each_batch_has_an_answer_and_losers_are_not_measured_at_the_next(self):
        bench = Bench(GAINS)
        outcome = optimise(options(batches=(1, 16)), bench)
        assert [(a.batch, a.winner.candidate.optimisations) for a in outcome.answers] == [
            (1, ("a", "b", "c")), (16, ("a", "b", "c"))
        ]  # fmt: skip
        assert ("transformers + slow", 1) in bench.measured("alone")
        assert ("transformers + slow", 16) not in bench.measured("alone")
        kind, why = reasons(outcome)["transformers + slow", 16]
        assert (kind, why) == ("not tried", "it is slower at batch 1 (0.70 ×).")

    def test_the_fastest_at_batch_1_is_measured_first_at_the_next(self):
        bench = Bench({"a": 1.2, "b": 1.5, "c": 2.4, "other": 1.1})
        optimise(options(batches=(1, 16)), bench)
        larger = [label for label, batch in bench.measured("alone") if batch == 16]
        assert larger == [
            "transformers",
            *(f"transformers + {n}" for n in "cba"),
            "other",
            "transformers + slow",
        ]

    def test_the_best_of_the_smaller_batch_begins_the_next(self):
        bench = Bench({"a": 1.2, "b": 1.5, "c": 2.4, "other": 1.1})
        optimise(options(batches=(1, 16)), bench)
        assert [label for label, batch in bench.measured("together") if batch == 16][:2] == [
            "other + c + b + a", "transformers + c + b"
        ]  # fmt: skip

    def test_little_time_at_the_larger_is_spent_on_it(self):
        """Its points take much longer: as fast as the best was at batch 1, this one still fits."""
        found = optimise(
            options(batches=(1, 16), minutes=12), Bench({"c": 4.0}, batch_seconds={16: 100.0})
        ).answers[1]
        assert found.winner.candidate.optimisations == ("c",)

    def test_a_gain_that_one_long_call_makes_uncertain_is_not_given_up(self):
        """A short window is decoded again for one utterance in six:
        twice as fast on the whole, not significantly."""
        bench = Bench({"a": 4.0, "b": 1.2}, again=("a",))
        found = only(optimise(options(engines=("transformers",)), bench))
        assert "a" in found.winner.candidate.optimisations

    def test_a_smaller_batch_wins_where_it_is_faster(self):
        found = optimise(options(batches=(1, 16)), Bench({"a": 2.0}, smaller_batch=1.6)).answers[1]
        assert (found.winner.batch, found.winner.candidate.optimisations) == (8, ("a",))
        assert found.total.factor == pytest.approx(3.2, rel=0.02)
        assert found.steps[-1].name == "at batch 8" or found.steps[-1].entry.batch == 8


class TestFinal:
    def test_a_rival_is_of_another_engine(self):
        bench = Bench({"a": 2.4, "b": 1.5, "other": 0.9})
        optimise(options(optimisations=("a", "b")), bench)
        assert bench.measured("final")[:3] == [
            ("transformers", 1),
            ("transformers + a + b", 1),
            ("other + a + b", 1),
        ]

    @pytest.mark.parametrize(("given", "wanted"), [(6, 48), (100, 100), (None, None)])
    def test_it_hears_enough_words(self, given: int | None, wanted: int | None):
        assert (
            options(pipeline=Pipeline(utterances=given), final_utterances=48).final.utterances
            == wanted
        )


class TestBudget:
    @pytest.mark.parametrize("minutes", [4, 8])
    def test_is_kept_and_what_was_not_tried_is_listed(self, minutes: float):
        many = tuple(f"x{i}" for i in range(40))
        bench = Bench({**dict.fromkeys(many, 1.1), "x3": 2.0, "other": 1.5}, seconds={"final": 5.0})
        outcome = optimise(options(minutes=minutes, optimisations=many), bench)
        assert outcome.spent_s == bench.spent_s <= 60 * minutes + SECONDS
        assert only(outcome).stage == "final"
        assert only(outcome).total.factor >= 2.0
        assert only(outcome).rounds == 3
        left = [why for kind, why in reasons(outcome).values() if kind == "not tried"]
        assert "no time was left for it: raise optimiser.minutes." in left

    def test_time_that_no_final_needs_goes_to_the_search(self):
        many = tuple(f"x{i:02}" for i in range(16))
        bench = Bench({"x15": 2.0})
        assert only(
            optimise(options(minutes=4, optimisations=many), bench)
        ).winner.candidate.optimisations == ("x15",)

    def test_what_a_second_look_at_the_field_finds_slow_alone_stays_where_it_helped(self):
        """With little time the first look measures a + c before c alone,
        which then gains nothing."""
        book = SearchLog(
            Bench({"a": 2.0}, joint={frozenset("ac"): 1.5}), options(engines=("transformers",))
        )
        for names in ((), ("a",), ("a", "c"), ("b",), ("c",), ("slow",)):
            book.search(Entry(Candidate("transformers", names), 1), "alone", 1e9)
        assert combine(book, 1, 1e9).candidate.optimisations == ("a", "c")

    def test_the_final_is_measured_even_if_it_exceeds_a_tiny_budget_and_that_is_said(self):
        outcome = optimise(options(minutes=2), Bench(GAINS, seconds={"final": 60.0}))
        assert only(outcome).stage == "final"
        assert "The budget was exceeded" in outcome.notes[0]

    def test_the_field_of_engines_is_halved(self):
        engines = ("transformers", "e1", "e2", "e3", "e4")
        names = tuple(f"x{i}" for i in range(6))
        gains = {"e1": 1.1, "e2": 1.2, "e3": 1.3, "e4": 3.0, **dict.fromkeys(names, 1.1)}
        bench = Bench(gains)
        outcome = optimise(options(engines=engines, optimisations=names, minutes=60), bench)
        tries = {
            e: sum(label.startswith(f"{e} ") for label, _ in bench.measured("together"))
            for e in engines[1:]
        }
        assert only(outcome).winner.candidate == Candidate("e4", names)
        assert tries["e1"] == 2 < tries["e4"]
        assert any("left behind, as e4" in why for _, why in reasons(outcome).values())

    def test_it_is_no_grid(self):
        names = tuple(f"x{i}" for i in range(10))
        bench = Bench(dict.fromkeys(names, 1.1))
        optimise(options(engines=("transformers",), optimisations=names, minutes=1000), bench)
        assert len(bench.trials) < 80 < 2**10


def test_the_same_answers_give_the_same_way():
    """What a search that goes on rests on: it asks for the same points in the same order."""
    first, again = Bench(GAINS, noise=0.01), Bench(GAINS, noise=0.01)
    assert optimise(options(batches=(1, 16)), first) == optimise(options(batches=(1, 16)), again)
    assert first.trials == again.trials


FACTORS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "slow", "other"]), st.sampled_from([0.5, 1.0, 1.3, 2.0])
)


@settings(max_examples=8, deadline=None)
@given(FACTORS)
def test_independent_gains_are_all_found(gains: dict[str, float]):
    """Without interplay and with time enough the best is the fastest engine with everything
    that helps."""
    found = only(optimise(options(minutes=100), Bench(gains)))
    best = max(gains.get("other", 1.0), 1.0)
    for name in ("a", "b", "c", "slow"):
        best *= max(gains.get(name, 1.0), 1.0)
    assert found.total.factor == pytest.approx(best)
