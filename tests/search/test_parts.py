"""Judging, the Pareto set, options, candidates and the journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.benches import Bench, options
from support.studies import TINY, record

from asr_scaling.analysis.comparison.verdict import RTFX
from asr_scaling.analysis.pareto import front_in_metrics
from asr_scaling.core.metric import Metric
from asr_scaling.core.statistics import Interval
from asr_scaling.errors import ConfigError, DataError
from asr_scaling.measure.pipeline import Pipeline
from asr_scaling.search.candidates import Candidate
from asr_scaling.search.optimise import optimise
from asr_scaling.search.options import Options
from asr_scaling.search.outcome import OUTCOME_FILE, Journal
from asr_scaling.search.speedup import gain

ROOT = Path(__file__).parents[2]
SLOW = replace(TINY, call_s=0.0)
FAST = replace(TINY, call_s=0.0, window_cost_s=TINY.window_cost_s / 2, per_s=TINY.per_s / 2)


class TestGain:
    def test_twice_as_fast(self):
        found = gain(record(SLOW, None, 1, calls=12), record(FAST, None, 1, calls=12))
        assert (found.factor, found.why) == (pytest.approx(2.0), "")
        assert found.loss is not None
        assert found.loss.change == 0
        assert found.faster
        assert not found.slower

    def test_single_calls_prove_nothing(self):
        found = gain(record(SLOW, None, 16, calls=1), record(FAST, None, 16, calls=1))
        assert (found.factor, found.interval) == (pytest.approx(2.0), None)
        assert found.why == "too few calls"
        assert (found.faster, found.slower) == (False, False)

    def test_one_process_each_proves_nothing_below_what_processes_differ_by(self):
        """Twice 9 % and five degrees of freedom: 39 % more, or 28 % less."""
        unknown = {**record(SLOW, None, 1).environment, "spread": None}
        base = replace(record(SLOW, None, 1, calls=12), environment=unknown)
        for factor, answer in ((1.3, ""), (1.5, "faster"), (0.8, ""), (0.6, "slower")):
            law = replace(SLOW, window_cost_s=0.3 / factor, per_s=0.01 / factor)
            found = gain(base, replace(record(law, None, 1, calls=12), environment=unknown))
            assert (found.faster, found.slower) == (answer == "faster", answer == "slower")
            assert bool(found.why) == (answer == "")
            assert ("would decide: optimiser.processes=" in found.why) == bool(found.why)

    def test_records_without_common_speech_are_judged_by_their_rtfx(self):
        a, b = record(SLOW, None, 1, calls=12), record(FAST, None, 1, calls=12, noise=0.01)
        other = replace(b, samples=tuple(replace(s, utterances=("x",)) for s in b.samples))
        found = gain(a, other)
        assert found.factor == pytest.approx(2.0, rel=0.02)
        assert found.interval is not None
        assert found.faster

    def test_the_rtfx_of_such_records_is_that_at_the_machines_usual_state(self):
        """Both took as long; at the usual state B takes half of it."""
        a, b = record(SLOW, None, 1, calls=12), record(SLOW, None, 1, calls=12, noise=0.01)
        other = replace(b, samples=tuple(replace(s, utterances=("x",)) for s in b.samples))
        at, ends = b.values[RTFX], b.intervals[RTFX]
        usual = Metric(f"usual/{RTFX}", 2 * at, 12, Interval(2 * ends.low, 2 * ends.high))
        before, after = gain(a, other), gain(a, replace(other, metrics=(*other.metrics, usual)))
        assert after.factor == pytest.approx(2 * before.factor)
        assert before.interval is not None
        assert after.interval is not None
        assert after.interval.low == pytest.approx(2 * before.interval.low)
        assert (before.faster, after.faster) == (False, True)
        assert gain(other, a).factor == pytest.approx(1 / before.factor)


VALUES = st.lists(st.tuples(*(st.integers(1, 4) for _ in range(4))), max_size=15)
NAMES = ("throughput/rtfx", "latency/mean_s", "memory/peak_rss_bytes", "quality/wer")


def beats(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """RTFx up, the others down."""
    one, two = ((-values[0], *values[1:]) for values in (a, b))
    return one != two and all(x <= y for x, y in zip(one, two, strict=True))


@given(VALUES)
def test_nobody_beats_the_front_and_someone_of_it_beats_the_rest(rows: list[tuple[int, ...]]):
    best, axes = front_in_metrics(rows, lambda row: dict(zip(NAMES, map(float, row), strict=True)))
    assert axes == (("latency/mean_s", *NAMES[:1], *NAMES[2:]) if rows else ())
    for row in rows:
        assert (row in best) == (not any(beats(other, row) for other in rows))
        assert row in best or any(beats(other, row) for other in best)


def test_an_axis_that_one_point_lacks_is_none():
    rows = [{"latency/p50_s": 1.0, "quality/wer": 0.1}, {"latency/p50_s": 2.0}]
    best, axes = front_in_metrics(rows, lambda row: row)
    assert (best, axes) == (rows[:1], ("latency/p50_s",))
    assert front_in_metrics([], lambda row: row) == ([], ())


class TestOptions:
    def test_names_are_checked_and_null_means_all(self):
        found = Options.of(
            {"engines": None, "optimisations": ["b"], "batches": 4},
            ("t", "o"),
            ("a", "b"),
            Pipeline(),
        )
        assert (found.engines, found.optimisations, found.batches) == (("t", "o"), ("b",), (4,))

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"optimisations": ["int9"]}, "optimiser.optimisations names 'int9'; choose from a"),
            ({"engines": []}, "optimiser.engines names no engine"),
            ({"minutes": 0}, "optimiser.minutes must be more than 0; got 0."),
            ({"minutes": "long"}, r"The options optimiser.\* can't be used"),
            ({"batches": [0]}, "must be positive whole numbers"),
            ({"max_wer_loss": -1}, "optimiser.max_wer_loss must be 0 or more points; got -1."),
            ({"minute": 3}, "There is no option optimiser.minute; choose batches, engines,"),
        ],
    )
    def test_what_makes_no_sense_is_one_sentence(self, given: dict[str, object], said: str):
        with pytest.raises(ConfigError, match=said):
            Options.of(given, ("t",), ("a",), Pipeline())


class TestJournal:
    def test_round_trip(self, tmp_path: Path):
        """Of a search with an answer at each batch, a rival, and things left out."""
        bench = Bench(
            {"a": 2.0, "b": 1.5, "other": 0.8},
            refused={"slow": ("refused", "no.")},
            wer={"c": 9.0, "a": 0.4},
            speech=90,
        )
        outcome = optimise(options(batches=(1, 16)), bench)
        assert outcome.answers[0].undecided
        journal = Journal({"rounds/0/0_search_b1_transformers": 1.5}, outcome)
        journal.write(tmp_path)
        assert Journal.read(tmp_path) == journal

    def test_none_and_damaged(self, tmp_path: Path):
        assert Journal.read(tmp_path) is None
        (tmp_path / OUTCOME_FILE).write_text('{"seconds": {}, "outcome": {"answers": 3}}')
        with pytest.raises(DataError, match="begin the search anew"):
            Journal.read(tmp_path)

    def test_one_of_a_version_with_other_stages_is_read(self):
        """The search was two stages, and gains had a noise floor."""
        journal = Journal.read(ROOT / "tests/data/records_before/search")
        assert journal is not None
        assert journal.outcome is not None
        stages = {tried.stage for tried in journal.outcome.tried}
        assert stages <= {"search", "semifinal", "final"}
        assert "search" in stages
        assert all(answer.undecided == () for answer in journal.outcome.answers)


class TestCandidates:
    def test_their_order_means_nothing(self):
        assert Candidate("t", ("b", "a", "b")) == Candidate("t", ("a", "b"))
        assert Candidate("t", ("b",)).plus("a").label == "t + a + b"
        assert Candidate("t", ("a", "b")).without("a") == Candidate("t", ("b",))
