"""The search replayed where the truth is known: benchmarks/search_regret.py, a small version."""

import importlib
import json
import math
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from asr_scaling.search.candidates import Candidate, Entry, Trial
from asr_scaling.search.options import Options

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _benchmarks():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def _module(name):
    return importlib.import_module(name)


def _bench(world, seed=0, **options):
    wanted = Options(world.engines, world.optimisations, **options)
    return _module("replayed_bench").ReplayedBench(world, wanted, seed)


@pytest.mark.parametrize("trap", ["pairs", "slow start", "wrong fastest"])
def test_search_names_the_fastest_that_is_truly_within(trap):
    regret = _module("search_regret")
    seed = list(_module("made_up_worlds").TRAPS).index(trap)
    found = regret.replayed(regret.Replay(trap, seed, 20.0))
    assert [one.batch for one in found] == [1, 16]
    assert not any(one.beyond for one in found)
    assert statistics.median(one.named_regret for one in found) < 0.08
    assert all(one.spent_s < 1.2 * 20 * 60 for one in found)


def test_every_trap_is_one():
    worlds = {
        trap: _module("made_up_worlds").made_up(trap, 3) for trap in _module("made_up_worlds").TRAPS
    }
    assert len(worlds) >= 10
    speed, loss = worlds["pairs"].speed, worlds["wrong fastest"].loss
    bare, both = Candidate("west"), Candidate("west", ("fused", "heap"))
    for batch in (1, 16):
        alone = [speed(Entry(bare.plus(name), batch)) for name in ("fused", "heap")]
        assert max(alone) < speed(Entry(bare, batch)) < speed(Entry(both, batch))
        wrong = worlds["wrong fastest"]
        fastest = max(
            (e for e in wrong.ways if e.batch == batch and "cut" not in e.candidate.optimisations),
            key=wrong.speed,
        )
        assert loss(fastest) > 0.5 >= loss(wrong.best(batch, 0.5))


def test_trial_takes_what_the_world_says_and_repeats_by_its_seed():
    world = _module("made_up_worlds").made_up("build worth it", 0)
    entry = Entry(Candidate("east", ("built",)), 1)
    first, second = (_bench(world).measure(Trial(entry, "search")) for _ in range(2))
    assert first == second
    way = world.ways[entry]
    assert first.compile_s == way.compile_s == 70
    assert first.took_s == pytest.approx(70 + way.load_s + first.calls_s + 0.3)
    bench = _bench(world)
    bench.measure(Trial(entry, "search"))
    again = bench.measure(Trial(entry, "search", 1))
    assert again.compile_s == 0  # it stayed loaded
    assert bench.spent_s == pytest.approx(first.took_s + again.took_s)
    alone = bench.measure(Trial(entry, "final"))
    assert alone.compile_s == 70


def test_words_of_much_speech_are_those_of_the_world():
    world = _module("made_up_worlds").made_up("slightly wrong", 1)
    bench = _bench(world)
    base, other = Entry(Candidate("plain"), 1), Entry(Candidate("north", ("bits8",)), 1)
    read = [bench.measure(Trial(e, "final", 0, 5000)).words for e in (base, other)]
    assert read[0].keys() == read[1].keys()
    total = sum(words for _, words in read[0].values())
    wrong = [sum(errors for errors, _ in own.values()) for own in read]
    assert 100 * (wrong[1] - wrong[0]) / total == pytest.approx(world.loss(other), abs=0.3)


def test_stated_factor_is_the_true_one_but_for_the_noise():
    world = replace(_module("made_up_worlds").made_up("equal", 0), drift_sd=0.0)
    base, other = Entry(Candidate("plain"), 1), Entry(Candidate("west", ("window",)), 1)
    true, held = world.speed(other) / world.speed(base), []
    for seed in range(60):
        bench = _bench(world, seed)
        for number in range(3):
            bench.measure(Trial(base, "final", number))
            bench.measure(Trial(other, "final", number))
        gain = bench.gain(base, other, "final")
        held.append(gain.interval.low <= true <= gain.interval.high)
        assert gain.factor == pytest.approx(true, rel=0.25)
    assert sum(held) >= 50


def test_what_is_in_no_table_is_refused():
    world = _module("made_up_worlds").made_up("order", 0)
    bench = _bench(world)
    assert bench.refusal(Entry(Candidate("plain", ("bits8", "bits16")), 1))[0] == "refused"
    assert bench.refusal(Entry(Candidate("plain", ("bits8",)), 1)) is None


def test_failing_engine_has_a_problem_and_takes_time():
    world = _module("made_up_worlds").made_up("failing", 0)
    bench = _bench(world)
    assert bench.measure(Trial(Entry(Candidate("north"), 1), "search")).problem
    assert bench.spent_s > 0


def test_world_of_a_table_has_its_speeds_words_and_spread(tmp_path):
    path = tmp_path / "small.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in _table()))
    world = _module("replayed_world").of_table(path)
    base = Entry(Candidate("transformers"), 1)
    fast = Entry(Candidate("transformers", ("dynamic_window",)), 1)
    assert world.resolved(fast.candidate).optimisations == ("decode_loop", "dynamic_window")
    fast = Entry(world.resolved(fast.candidate), 1)
    assert world.speed(fast) / world.speed(base) == pytest.approx(2.0, rel=0.01)
    assert world.ways[base].call_s(4.0) == pytest.approx(0.5 + 0.1 * 4.0)
    assert world.loss(fast) == pytest.approx(100 * 1 / 30)
    assert world.ways[base].process_sd == pytest.approx(math.log(1.1))
    assert world.best(1, 0.5) == base
    assert world.best(1, 5.0) == fast
    assert not any("int8" in entry.candidate.optimisations for entry in world.ways)


def test_table_shows_speeds_at_the_hosts_usual_state(tmp_path):
    """The host is twice as slow at ten as at nine, and so is all that is measured by then."""
    at = [f"2026-11-30T{time}:00+00:00" for time in ("09:00", "09:30", "10:00")]
    rows = [row for row in _table() if row["kind"] == "session" or not row["optimisations"]]
    (plain,) = (row for row in rows if row["kind"] == "entry")

    def measured(time, slower, kind="entry"):
        calls = [{**call, "s": slower * call["s"]} for call in plain["calls"]]
        return {**plain, "kind": kind, "at": time, "calls": calls}

    rows = [rows[0], *(measured(at[i], s, "calibration") for i, s in ((0, 1.0), (2, 2.0)))]
    rows += [measured(at[0], 1.0), measured(at[1], math.sqrt(2)), measured(at[2], 2.0)]
    path = tmp_path / "drifting.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = _module("exhaustive_table")
    known = table.Measured.read(path)
    speeds = [table.rtfx(row, known.audio_s) for row in known.good(next(iter(known.rows)))]
    usual = 12.0 / (math.sqrt(2) * (3 * 0.5 + 0.1 * 12))
    assert speeds == pytest.approx([usual] * 3)


def test_priors_of_a_tables_world_are_of_the_other_tables(tmp_path):
    lines = "".join(json.dumps(row) + "\n" for row in _table())
    small, other = (tmp_path / f"{name}.jsonl" for name in ("small", "other"))
    small.write_text(lines)
    of_table = _module("replayed_world").of_table
    assert not of_table(small).priors.engines
    other.write_text(lines)
    assert of_table(small).priors.engines["transformers"]["one"].mean == 0.0


def _table():
    audio_s = {"a": 2.0, "b": 4.0, "c": 6.0}

    def calls(factor):
        timed = [
            {"pass": "timed", "s": factor * (0.5 + 0.1 * s), "utterances": [key]}
            for key, s in audio_s.items()
        ]
        return [{"pass": "warm", "s": 9.0, "utterances": ["a"]}, *timed]

    def row(names, factor, key, wrong):
        words = {name: [wrong if name == "a" else 0, 10] for name in audio_s}
        ok = {"outcome": "ok", "load_s": 1.0, "compile_s": None, "words": words}
        return {
            "kind": "entry",
            "engine": "transformers",
            "optimisations": names,
            "batch": 1,
            "texts_key": key,
            "at": "2026-11-30T09:00:00+00:00",
            "process_s": 0.0,
            "calls": calls(factor),
            **ok,
        }

    both = ["decode_loop", "dynamic_window"]
    failed = {**row(["int8"], 1.0, "k", 0), "outcome": "failed", "why": "it broke"}
    return [
        {"kind": "session", "audio_s": audio_s, "features": []},
        row([], 1.0, "plain", 0),
        row(both, 0.5, "fast", 1),
        row(both, 0.5 * 1.1, "fast", 1),
        row(both, 0.5 / 1.1, "fast", 1),
        failed,
    ]


def test_the_package_expects_what_the_committed_measurements_say(capsys):
    _module("search_priors").main()
    packaged = BENCHMARKS.parent / "asr_scaling" / "search" / "priors.json"
    assert json.loads(capsys.readouterr().out) == json.loads(
        packaged.read_text(encoding="utf-8")
    ), "python benchmarks/search_priors.py > asr_scaling/search/priors.json"
