"""Schedules as theory has them, the same for one seed, and traces that are read or refused."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import utterances

from asr_scaling.errors import DataError
from asr_scaling.load import arrivals
from asr_scaling.load.trace import read_trace

SPEECH = utterances([1.0, 2.0, 3.0, 4.0])


def gaps(schedule: arrivals.Schedule) -> list[float]:
    times = (0.0, *schedule.due_s)
    return [b - a for a, b in pairwise(times)]


class TestPoisson:
    def test_gaps_are_exponential(self):
        """Mean 1/rate, coefficient of variation 1, and a share e^-1 of them above the mean
        (each within five standard errors)."""
        n = 20_000
        found = gaps(arrivals.poisson(4.0, n, SPEECH, 1))
        mean = statistics.fmean(found)
        assert mean == pytest.approx(0.25, rel=5 / math.sqrt(n))
        assert statistics.stdev(found) / mean == pytest.approx(1.0, abs=5 * math.sqrt(2 / n))
        above = sum(gap > 0.25 for gap in found) / n
        assert above == pytest.approx(math.exp(-1), abs=5 * math.sqrt(0.233 / n))

    def test_counts_in_seconds_vary_as_their_mean(self):
        due = arrivals.poisson(4.0, 20_000, SPEECH, 2).due_s
        counts = Counter(int(time) for time in due)
        full = [counts[second] for second in range(int(due[-1]))]
        assert statistics.variance(full) / statistics.fmean(full) == pytest.approx(1.0, abs=0.12)

    def test_a_seed_is_a_schedule(self):
        first, again, other = (arrivals.poisson(2.0, 50, SPEECH, seed) for seed in (1, 1, 2))
        assert first == again
        assert first.due_s != other.due_s
        assert first.utterances != other.utterances

    def test_another_rate_is_the_same_pattern_faster(self):
        slow, fast = (arrivals.poisson(rate, 50, SPEECH, 3).due_s for rate in (1.0, 10.0))
        assert fast == pytest.approx([time / 10 for time in slow])


def test_constant_gaps_are_equal():
    schedule = arrivals.constant(4.0, 8, SPEECH, 1)
    assert gaps(schedule) == pytest.approx([0.25] * 8)
    assert schedule.seconds == pytest.approx(2.0)
    assert schedule.offered_per_s == 4.0


def test_clients_have_no_due_times():
    schedule = arrivals.closed(3, 8, SPEECH, 1)
    assert (schedule.arrivals, schedule.clients, schedule.due_s) == ("closed", 3, ())
    assert schedule.offered_per_s is None
    assert len(schedule.utterances) == 8


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 2**32))
def test_every_utterance_occurs_as_often_as_any_other(count: int, distinct: int, seed: int):
    speech = utterances([1.0] * distinct)
    carried = arrivals.in_rounds(count, speech, seed)
    times = Counter(utterance.id for utterance in carried)
    assert len(carried) == count
    assert max(times.values()) - min((times[u.id] for u in speech), default=0) <= 1


def test_how_many_are_due_in_some_seconds():
    assert arrivals.within(20.0, 2.0) == 40
    assert arrivals.within(0.01, 2.0) == 1
    assert arrivals.within(1e9, 1e9) == arrivals.MOST


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


class TestTrace:
    def test_a_table(self, tmp_path: Path):
        path = write(tmp_path, "t.csv", "time_s,utterance\n0.5,u1\n0.5,\n2.5,u0\n")
        schedule = arrivals.trace(path, SPEECH, 1)
        assert schedule.due_s == (0.5, 0.5, 2.5)
        assert (schedule.utterances[0].id, schedule.utterances[2].id) == ("u1", "u0")
        assert schedule.offered_per_s == pytest.approx(1.0)

    def test_lines_of_json(self, tmp_path: Path):
        rows = [{"time_s": 0}, {"time_s": 1.5, "utterance": "u3"}, {"time_s": 2, "utterance": None}]
        text = "".join(f"{json.dumps(row)}\n\n" for row in rows)
        schedule = arrivals.trace(write(tmp_path, "t.jsonl", text), SPEECH, 1)
        assert schedule.due_s == (0.0, 1.5, 2.0)
        assert schedule.utterances[1].id == "u3"

    def test_utterances_that_are_not_named_are_seeded(self, tmp_path: Path):
        text = "time_s\n" + "".join(f"{i}\n" for i in range(20))
        path = write(tmp_path, "t.csv", text)
        first, again, other = (arrivals.trace(path, SPEECH, seed) for seed in (1, 1, 2))
        assert first == again
        assert first.utterances != other.utterances

    def test_one_request_has_no_rate(self, tmp_path: Path):
        path = write(tmp_path, "t.csv", "time_s\n3\n")
        assert arrivals.trace(path, SPEECH, 1).offered_per_s is None

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("t.csv", "", "no column time_s"),
            ("t.csv", "when\n1\n", "no column time_s"),
            ("t.csv", "time_s\n", "no request"),
            ("t.csv", "time_s\n1\nsoon\n", "line 3: time_s must be 0 or more seconds; got 'soon'"),
            ("t.csv", "time_s\n-1\n", "line 2: time_s must be 0 or more"),
            ("t.csv", "time_s\nnan\n", "line 2: time_s must be 0 or more"),
            ("t.csv", "time_s\ninf\n", "line 2: time_s must be 0 or more"),
            ("t.csv", "time_s\n2\n1\n", "line 3: 1 s comes after 2 s"),
            ("t.csv", "time_s,utterance\n1,nobody\n", "line 2: no utterance 'nobody'"),
            ("t.jsonl", "{}\n", "line 1 has no time_s"),
            ("t.jsonl", "[1]\n", "line 1 has no time_s"),
            ("t.jsonl", '{"time_s": 1}\n{"time_s": true}\n', "line 2: time_s must be"),
            ("t.jsonl", '{"time_s": 1}\n{"time_s"\n', "line 2 is no JSON"),
            ("t.jsonl", '{"time_s": null}\n', "line 1: time_s must be"),
            ("t.txt", "1\n", "must end in .csv or .jsonl"),
        ],
    )
    def test_what_is_wrong_is_said(self, tmp_path: Path, name: str, text: str, said: str):
        with pytest.raises(DataError) as error:
            arrivals.trace(write(tmp_path, name, text), SPEECH, 1)
        assert said in str(error.value)

    def test_a_file_that_is_not_there(self, tmp_path: Path):
        with pytest.raises(DataError, match="can't be read"):
            read_trace(tmp_path / "none.csv")

    @given(data=st.binary(max_size=200), end=st.sampled_from([".csv", ".jsonl"]))
    def test_any_bytes_are_read_or_refused(self, tmp_path_factory, data: bytes, end: str):
        path = tmp_path_factory.mktemp("trace") / f"t{end}"
        path.write_bytes(data)
        rows = ()
        with suppress(DataError):
            rows = read_trace(path)
        times = [row.time_s for row in rows]
        assert times == sorted(times)
        assert all(0 <= time < math.inf for time in times)
