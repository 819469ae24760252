"""The search on a made-up bench: it finds the known best, keeps its budget, wastes nothing,
and says what it left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.benches import BASE, Bench, options

from asr_scaling.errors import EngineError
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.search.candidates import Candidate, Entry
from asr_scaling.search.optimise import optimise
from asr_scaling.search.outcome import Answer, Outcome
from asr_scaling.search.priors import Expected, Priors, priors_of
from asr_scaling.search.suspects import Suspects

GAINS = {"a": 2.4, "b": 1.5, "c": 1.2, "slow": 0.7, "other": 0.9}


def only(found: Outcome) -> Answer:
    (answer,) = found.answers
    return answer


def winner(found: Outcome) -> str:
    return only(found).winner.candidate.label


def reasons(found: Outcome) -> dict[tuple[str, int], tuple[str, str]]:
    return {
        (each.entry.candidate.label, each.entry.batch): (each.kind, each.why) for each in found.left
    }


def test_gains_multiply_and_are_exact():
    found = only(optimise(options(), Bench(GAINS)))
    assert found.winner.candidate == Candidate("transformers", ("a", "b", "c"))
    assert found.total.factor == pytest.approx(2.4 * 1.5 * 1.2)
    assert (found.stage, found.rounds) == ("final", 3)
    product = 1.0
    for step in found.steps:
        product *= step.gain.factor
    assert product == pytest.approx(2.4 * 1.5 * 1.2)
    assert found.steps[-1].entry == found.winner


def test_the_better_engine_wins_with_what_helps_it():
    bench = Bench({"other": 3.0, "a": 1.3, "b": 0.9, "c": 0.95, "slow": 0.7})
    found = only(optimise(options(), bench))
    assert found.winner.candidate == Candidate("other", ("a",))
    assert found.total.factor == pytest.approx(3.9)


@pytest.mark.parametrize("utterance", [0, 5])
def test_a_text_that_is_decoded_again_does_not_speak_for_all_speech(utterance: int):
    """One of the search's six, the shortest or the longest, takes the fastest engine four times as
    long, as it would one in a hundred."""
    bench = Bench({**GAINS, "other": 1.2}, again={"other": utterance})
    found = only(optimise(options(), bench))
    assert found.winner.candidate == Candidate("other", ("a", "b", "c"))


def test_each_engine_has_its_own_gains():
    """What slows the first engine doubles another, and the other way round."""
    gains = {"a": 0.7, "other:a": 2.2, "b": 1.4, "other:b": 0.8, "c": 1.1, "slow": 0.7}
    bench = Bench(gains, noise=0.02, between={"": 0.02})
    assert winner(optimise(options(), bench)) == "other + a + c"
    bench = Bench({**gains, "other": 0.5}, noise=0.02, between={"": 0.02})
    assert winner(optimise(options(), bench)) == "transformers + b + c"


def test_what_helps_only_together_is_found():
    """Each alone slows down, on the first engine and on another."""
    alone = {"a": 0.9, "b": 0.85, "c": 1.1, "slow": 0.7}
    bench = Bench(alone, joint={frozenset("ab"): 2.5}, noise=0.02, between={"": 0.02})
    found = optimise(options(), bench)
    assert {"a", "b", "c"} == set(only(found).winner.candidate.optimisations)
    bench = Bench(alone, joint={frozenset(("other", "a", "b")): 2.5}, noise=0.02)
    assert winner(optimise(options(), bench)) == "other + a + b + c"


def test_what_does_not_help_beside_the_others_is_not_kept():
    bench = Bench(GAINS, joint={frozenset("ab"): 1 / 1.6})
    assert winner(optimise(options(), bench)) == "transformers + a + c"


def test_what_comes_first_may_stand_in_the_way():
    """a gains most alone, and clashes with what gains more together."""
    bench = Bench(
        {"a": 1.6, "b": 1.1, "c": 1.1, "slow": 0.7, "other": 0.8},
        joint={frozenset("bc"): 1.8},
        clash=(frozenset("ab"), frozenset("ac")),
    )
    assert winner(optimise(options(), bench)) == "transformers + b + c"


def test_nothing_helps():
    found = only(optimise(options(), Bench({"slow": 0.5, "other": 0.6, "a": 0.9, "b": 0.8})))
    assert found.winner.candidate == found.baseline.candidate == BASE
    assert (found.total.factor, found.steps) == (pytest.approx(1.0), ())


def test_nothing_else_can_be_measured():
    names = ("other", "a", "b", "c", "slow")
    bench = Bench({}, refused=dict.fromkeys(names, ("refused", "no.")))
    found = only(optimise(options(), bench))
    assert (found.winner, found.other, found.rounds) == (Entry(BASE, 1), None, 0)
    assert {trial.entry for trial in bench.trials} == {Entry(BASE, 1)}


@pytest.mark.parametrize("seed", range(4))
def test_noise_wins_nothing(seed: int):
    gains = {"a": 1.004, "b": 0.998, "c": 0.97, "slow": 0.9, "other": 0.9}
    bench = Bench(gains, noise=0.03, between={"": 0.03}, drift=0.03, seed=seed)
    found = only(optimise(options(minutes=10), bench))
    assert bench.factor(found.winner) > 0.98
    assert found.total.interval is not None
    assert found.total.interval.low < 1.02


def test_random_weights_have_no_wer_and_it_is_said():
    outcome = optimise(options(), Bench(GAINS, random=True))
    assert only(outcome).total.loss is None
    assert winner(outcome) == "transformers + a + b + c"
    assert "No WER is known" in outcome.notes[0]


class TestLeftOut:
    def test_what_is_refused_is_named_once(self):
        refused = {
            "a": ("refused", "a makes no sense here."),
            "other": ("not installed", "run pip install other"),
        }
        outcome = optimise(options(), Bench(GAINS, refused=refused))
        assert winner(outcome) == "transformers + b + c"
        assert reasons(outcome)["transformers + a", 1] == ("refused", "a makes no sense here.")
        assert reasons(outcome)["other", 1] == ("not installed", "run pip install other")
        assert sum("a makes no sense" in why for _, why in reasons(outcome).values()) == 1

    def test_combinations_that_clash_are_passed_over(self):
        outcome = optimise(options(), Bench(GAINS, clash=(frozenset("ab"),)))
        assert winner(outcome) == "transformers + a + c"

    def test_what_needs_another_stands_beside_it_and_is_measured_without_it_too(self):
        bench = Bench({**GAINS, "c": 0.8}, needs={"b": "c"})
        assert winner(optimise(options(), bench)) == "transformers + a + b + c"
        assert any("c" in label.split(" + ") for label in bench.measured("search"))
        bench = Bench({**GAINS, "c": 0.5}, needs={"b": "c"})
        assert winner(optimise(options(), bench)) == "transformers + a"

    def test_a_candidate_that_breaks_is_named_and_the_rest_goes_on(self):
        bench = Bench(GAINS, failing=("b",))
        outcome = optimise(options(), bench)
        assert winner(outcome) == "transformers + a + c"
        broken = {label for (label, _), (kind, _) in reasons(outcome).items() if kind == "failed"}
        assert broken
        assert all("b" in label.split(" + ") for label in broken)

    def test_nothing_is_built_upon_what_broke(self):
        bench = Bench(GAINS, failing=("b",))
        optimise(options(), bench)
        labels = [set(label.split(" + ")) for label in bench.measured("search")]
        broken = [number for number, parts in enumerate(labels) if "b" in parts]
        for first in broken:
            assert not any(labels[first] <= parts for parts in labels[first + 1 :])

    def test_a_baseline_that_breaks_ends_the_search_with_the_reason(self):
        said = r"engine=transformers, can't be measured \(it broke\)"
        with pytest.raises(EngineError, match=said):
            optimise(options(), Bench(GAINS, failing=("transformers",)))

    def test_an_engine_that_can_not_run_is_given_up_after_two_trials(self):
        bench = Bench(GAINS, failing=("other",))
        assert winner(optimise(options(), bench)) == "transformers + a + b + c"
        assert sum("other" in label for label in bench.measured("search")) == 2


class TestSuspects:
    def test_what_has_all_that_may_be_to_blame_has_nearly_no_chance(self):
        suspects = Suspects(everywhere=True)
        assert suspects.accuse("one", ("cut", "window", "bits")) is None
        assert suspects.chance("two", ("cut", "window", "bits")) == pytest.approx(0.05)
        assert suspects.chance("two", ("window", "bits")) == pytest.approx(1 / 3)
        assert suspects.chance("two", ("bits",)) == pytest.approx(2 / 3)
        assert suspects.chance("two", ("heap",)) == 1.0

    def test_what_was_good_is_less_suspect_elsewhere_and_not_at_all_there(self):
        suspects = Suspects(everywhere=True)
        suspects.acquit("two", ("window",))
        suspects.accuse("one", ("cut", "window"))
        assert suspects.chance("two", ("window",)) == 1.0
        assert suspects.chance("one", ("window",)) == pytest.approx(1 - 0.2 / 1.2)
        assert suspects.chance("one", ("cut",)) == pytest.approx(0.2 / 1.2)

    def test_the_last_suspect_is_named(self):
        suspects = Suspects(everywhere=False)
        suspects.acquit("one", ("window",))
        assert suspects.accuse("one", ("cut", "window")) == "cut"
        assert suspects.chance("two", ("cut",)) == 1.0


class TestWords:
    def test_what_loops_ends_at_its_first_trial_with_all_that_holds_it(self):
        bench = Bench(GAINS, wer={"a": 80.0})
        outcome = optimise(options(), bench)
        assert winner(outcome) == "transformers + b + c"
        labels = [set(label.split(" + ")) for label in bench.measured("search")]
        for first, parts in enumerate(labels):
            if "a" in parts:
                assert not any(parts <= later for later in labels[first + 1 :])
        assert not any("a" in label.split(" + ") for label in bench.measured("semifinal"))
        kinds = {kind for (label, _), (kind, _) in reasons(outcome).items() if "+ a" in label}
        assert kinds == {"WER"}

    @pytest.mark.parametrize("points", [2.0, 5.0])
    def test_what_is_shown_beyond_does_not_win(self, points: float):
        outcome = optimise(options(), Bench(GAINS, wer={"a": points}))
        assert winner(outcome).endswith(" + b + c")  # both engines are as fast
        assert "a" not in {
            n for rival in only(outcome).undecided for n in rival.entry.candidate.optimisations
        }
        assert any("shown to be beyond the 0.5" in why for _, why in reasons(outcome).values())

    def test_what_is_allowed_wins(self):
        outcome = optimise(options(max_wer_loss=6), Bench(GAINS, wer={"a": 3.0}))
        assert winner(outcome) == "transformers + a + b + c"
        loss = only(outcome).total.loss
        assert loss is not None
        assert loss.change == pytest.approx(0.03, abs=0.01)

    def test_what_is_faster_and_undecided_stands_beside_the_winner(self):
        """The speech has too few words for it."""
        bench = Bench(GAINS, wer={"a": 0.5}, speech=90)
        found = only(optimise(options(max_wer_loss=0.7), bench))
        assert "a" not in found.winner.candidate.optimisations
        rival = found.undecided[0]
        assert rival.entry.candidate == Candidate("transformers", ("a", "b", "c"))
        assert rival.over_baseline.factor == pytest.approx(4.32)
        assert rival.gain.factor == pytest.approx(4.32 / found.total.factor)
        assert rival.over_baseline.loss is not None
        assert rival.words_needed is None or rival.words_needed > rival.over_baseline.loss.words

    def test_the_final_goes_on_until_something_is_shown_to_be_within(self):
        """All that is fastest has "a", which the little speech leaves undecided."""
        bench = Bench({"a": 2.0, "b": 1.5, "other": 0.8}, wer={"a": 0.5}, speech=90)
        found = only(optimise(options(optimisations=("a", "b")), bench))
        assert found.winner.candidate.optimisations == ("b",)
        assert not found.likely
        rivals = [rival.entry.candidate for rival in found.undecided]
        assert rivals[0] == Candidate("transformers", ("a", "b"))
        assert all("a" in rival.optimisations for rival in rivals)

    def test_with_more_speech_it_is_decided(self):
        found = optimise(options(max_wer_loss=0.9), Bench(GAINS, wer={"a": 0.3}))
        assert winner(found) == "transformers + a + b + c"
        assert not only(found).undecided


class TestBatches:
    def test_each_batch_has_an_answer_of_its_own(self):
        bench = Bench({**GAINS, "c@16": 0.6, "other@16": 2.0})
        outcome = optimise(options(batches=(1, 16)), bench)
        assert [(a.batch, a.winner.candidate.label) for a in outcome.answers] == [
            (1, "transformers + a + b + c"),
            (16, "other + a + b"),
        ]

    def test_both_have_finals_in_what_time_there_is(self):
        bench = Bench(GAINS, noise=0.02)
        outcome = optimise(options(batches=(1, 16), minutes=10), bench)
        assert [a.stage for a in outcome.answers] == ["final", "final"]
        assert all(a.rounds >= 2 for a in outcome.answers)

    def test_a_larger_batch_that_breaks_is_said_and_the_other_answers(self):
        bench = Bench(GAINS, failing=("16",))
        outcome = optimise(options(batches=(1, 16)), bench)
        assert [a.batch for a in outcome.answers] == [1]
        assert "Batch 16 has no answer, its baseline could not be measured: it broke." in (
            outcome.notes
        )


class TestRegrouping:
    """What puts other utterances into a batch shows nothing in one batch."""

    def test_it_is_measured_beside_what_is_fastest_without_it(self):
        bench = Bench({**GAINS, "sorted": 1.4}, regrouping=("sorted",))
        asked = options(batches=(1, 8), optimisations=("a", "b", "c", "slow", "sorted"))
        one, many = optimise(asked, bench).answers
        assert one.winner.candidate.label == "transformers + a + b + c"
        assert many.winner.candidate.label == "transformers + a + b + c + sorted"
        assert many.total.factor == pytest.approx(2.4 * 1.5 * 1.2 * 1.4, rel=0.02)
        assert [(step.name, step.stage) for step in many.steps][-1] == ("sorted", "semifinal")
        assert many.steps[-1].gain.factor == pytest.approx(1.4, rel=0.02)

    def test_where_it_slows_down_the_plain_one_wins(self):
        bench = Bench({**GAINS, "sorted": 0.9}, regrouping=("sorted",))
        asked = options(batches=(8,), optimisations=("a", "b", "c", "slow", "sorted"))
        assert winner(optimise(asked, bench)) == "transformers + a + b + c"
        assert any("sorted" in label for label in bench.measured("semifinal", 8))


class TestFinal:
    def test_its_figures_are_of_trials_after_the_choice(self):
        """In the semifinal a process was lucky: the final shows what it is worth."""
        bench = Bench(GAINS, between={"": 0.08})
        found = only(optimise(options(), bench))
        chosen = [n for n, t in enumerate(bench.trials) if t.stage == "final" and t.rank]
        chose = [n for n, t in enumerate(bench.trials) if t.stage != "final"]
        assert min(chosen) > max(chose)
        assert found.stage == "final"
        assert found.total == bench.gain(found.baseline, found.winner, "final")

    def test_they_never_choose(self):
        """Faster in the final than what the semifinal ranked before it, and not named for it."""

        class Lucky(Bench):
            def factor(self, entry: Entry) -> float:
                last = "b" in entry.candidate.optimisations and self.finals
                return super().factor(entry) * (3.0 if last else 1.0)

            @property
            def finals(self) -> bool:
                return bool(self.trials) and self.trials[-1].stage == "final"

        gains = {"a": 1.5, "b": 1.45, "c": 0.9, "slow": 0.7, "other": 0.8}
        bench = Lucky(gains, clash=(frozenset("ab"),), wer={"a": 0.1})
        assert winner(optimise(options(), bench)) == "transformers + a"

    def test_it_is_measured_in_turns_and_reads_the_same_speech(self):
        bench = Bench(GAINS)
        optimise(options(batches=(1, 16)), bench)
        finals = [t for t in bench.trials if t.stage == "final"]
        assert len({t.utterances for t in finals if t.utterances}) == 1
        first = [t.rank for t in finals if t.entry.batch == 1 and t.number == 0]
        second = [t.rank for t in finals if t.entry.batch == 1 and t.number == 1]
        assert second == first[::-1]
        assert all(t.number == 0 for t in finals if t.utterances)

    @pytest.mark.parametrize(("given", "wanted"), [(6, 48), (100, 100), (None, None)])
    def test_it_hears_enough_words(self, given: int | None, wanted: int | None):
        found = options(pipeline=Pipeline(utterances=given), final_utterances=48)
        assert found.final.utterances == wanted


class TestBudget:
    MANY = tuple(f"x{i}" for i in range(20))

    @pytest.mark.parametrize("minutes", [2, 5, 20])
    def test_is_kept_but_for_baseline_and_best(self, minutes: float):
        gains = {**dict.fromkeys(self.MANY, 1.02), "x3": 2.0, "other": 1.5}
        bench = Bench(gains, noise=0.02, between={"": 0.02})
        outcome = optimise(options(minutes=minutes, optimisations=self.MANY), bench)
        over_s = bench.spent_s - 60 * minutes
        assert outcome.spent_s == bench.spent_s
        last = [t for t in bench.trials if t.stage == "final" and t.number == 0 and t.rank <= 1]
        sure_s = sum(bench.took_s[t] for t in last)
        assert over_s <= sure_s
        assert (over_s > 0) == any("The budget was exceeded" in note for note in outcome.notes)

    @pytest.mark.parametrize("minutes", [5, 20])
    def test_a_third_is_kept_for_semifinals_and_finals(self, minutes: float):
        names = tuple(f"x{i}" for i in range(20))
        bench = Bench(dict.fromkeys(names, 1.02), noise=0.03, between={"": 0.03})
        optimise(options(minutes=minutes, optimisations=names, batches=(1, 16)), bench)
        searched_s = sum(bench.took_s[t] for t in bench.trials if t.stage == "search")
        assert searched_s <= 60 * minutes * 2 / 3

    def test_what_there_was_no_time_for_is_named(self):
        gains = {**dict.fromkeys(self.MANY, 1.3), "other": 1.5}
        outcome = optimise(options(minutes=2, optimisations=self.MANY), Bench(gains))
        left = [why for kind, why in reasons(outcome).values() if kind == "not tried"]
        assert "no time was left for it: raise optimiser.minutes." in left

    def test_what_was_left_for_its_cost_is_measured_once_it_is_worth_it(self):
        """A compilation takes a minute and gains most."""
        bench = Bench({**GAINS, "c": 1.8}, dear={"c": 60.0})
        assert winner(optimise(options(), bench)) == "transformers + a + b + c"

    def test_it_is_no_grid(self):
        names = tuple(f"x{i}" for i in range(10))
        bench = Bench(dict.fromkeys(names, 1.1))
        optimise(options(engines=("transformers",), optimisations=names), bench)
        assert len(bench.trials) < 200 < 2**10


TRAPS = {
    "interactions": Bench(
        {"a": 1.5, "b": 1.3, "c": 1.2, "d": 1.1, "slow": 0.7, "other": 0.9, "other:a": 1.2},
        joint={frozenset("ab"): 0.7, frozenset("bcd"): 1.2, frozenset(("other", "d")): 1.2},
    ),
    "order": Bench(
        {"a": 1.6, "b": 1.15, "c": 1.1, "d": 1.05, "slow": 0.7, "other": 0.8},
        joint={frozenset("bc"): 1.8},
        clash=(frozenset("ab"), frozenset("ac")),
    ),
    "noisy engine": Bench(
        {"a": 1.5, "b": 1.1, "c": 1.1, "d": 0.9, "slow": 0.7, "other": 0.9},
        between={"": 0.02, "other": 0.12},
    ),
    "drift": Bench(
        {"a": 1.5, "b": 1.2, "c": 1.1, "d": 0.9, "slow": 0.7, "other": 1.3, "other:b": 0.9},
        drift=0.08,
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_the_best_is_named_whatever_the_noise(trap: str):
    """Within 2 %, in all but one of twelve seeds."""
    asked = options(optimisations=("a", "b", "c", "d", "slow"))
    missed = []
    for seed in range(12):
        law = TRAPS[trap]
        between = law.between or {"": 0.02}
        bench = replace(law, noise=0.03, between=between, seed=seed, trials=[], seen={})
        found = only(optimise(asked, bench))
        best = bench.best(asked)
        if bench.factor(found.winner) < 0.98 * bench.factor(best):
            missed.append((seed, found.winner.label, best.label))
    assert len(missed) <= 1, missed


def test_wrong_priors_cost_time_and_not_the_answer():
    """They praise what is slowest and promise nothing of what is fastest, both without doubt."""
    praised = {"one": Expected(0.7, 0.1), "many": Expected(0.7, 0.1)}
    scorned = {"one": Expected(-0.3, 0.1), "many": Expected(-0.3, 0.1)}
    wrong = Priors(
        {"other": praised},
        {engine: {"slow": praised, "a": scorned} for engine in ("transformers", "other")},
    )
    right, misled = Bench(GAINS, noise=0.02), Bench(GAINS, noise=0.02)
    plain, found = optimise(options(), right), optimise(options(), misled, wrong)
    assert winner(plain) == winner(found) == "transformers + a + b + c"
    assert any("slow" in label for label in misled.measured("search")[:4])
    assert only(found).total.factor == pytest.approx(4.32, rel=0.05)


def test_what_a_class_of_processor_lacks_is_known_of_the_next_one():
    def of(**options: Expected) -> Priors:
        return Priors({}, {"transformers": {name: {"one": e} for name, e in options.items()}})

    own, below = of(int8=Expected(0.5)), of(int8=Expected(0.1), prune=Expected(-2.0))
    both = own.or_else(below)
    entry = Entry(BASE, 1)
    assert both.option(entry, "int8").mean == 0.5
    assert both.option(entry, "prune").mean == -2.0


def test_a_prior_of_this_package_knows_what_no_table_of_the_class_measured():
    """Pruning was measured on processors without matrix units alone."""
    entry = Entry(BASE, 1)
    assert priors_of("amx").option(entry, "prune").mean < -1
    measured = priors_of("amx").option(entry, "bf16").mean
    assert measured not in {0.0, priors_of("avx512_bf16").option(entry, "bf16").mean}
    assert not priors_of("another").engines


def test_the_same_answers_give_the_same_way():
    """What a search that goes on rests on: it asks for the same points in the same order."""
    first, again = (Bench(GAINS, noise=0.02, between={"": 0.02}) for _ in range(2))
    asked = options(batches=(1, 16))
    assert optimise(asked, first) == optimise(asked, again)
    assert first.trials == again.trials


FACTORS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "slow", "other"]), st.sampled_from([0.5, 0.8, 1.3, 2.0])
)


@settings(max_examples=8, deadline=None)
@given(FACTORS)
def test_independent_gains_are_all_found(gains: dict[str, float]):
    """Without interplay the best is the fastest engine with everything that helps."""
    bench = Bench({"a": 0.8, "b": 0.8, "c": 0.8, "slow": 0.5, "other": 0.8} | gains)
    found = only(optimise(options(), bench))
    assert found.total.factor == pytest.approx(bench.factor(bench.best(options())))
