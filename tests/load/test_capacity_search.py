"""The search for the highest rate: what it tries, when it ends, and what it answers."""

import math

import numpy as np
import pytest
from support.known_servers import S, all_known
from support.simulated_servers import Long, Probing, Workers, fixed, lognormal

from asr_scaling.errors import ConfigError
from asr_scaling.load.bound import parsed
from asr_scaling.load.capacity_estimate import capacity_edge
from asr_scaling.load.capacity_search import Plan, find_capacity
from asr_scaling.load.probed import Probed, judged

KNOWN = {known.server.name: known for known in all_known()}
STEADY = Workers("lognormal 0.4", lognormal(S, 0.4), S)


def searched(server, text, seconds=600.0, start=0.55, seed=1, **options):
    bound = parsed(text)
    probing = Probing(server, bound, seconds, seed)
    plan = Plan(start * server.most_per_s, seed=seed, **options)
    return find_capacity(bound, probing, plan), probing


@pytest.mark.parametrize("name", ["M/D/1", "lognormal 0.4", "drift of 3 %"])
def test_a_regular_server_is_known_to_ten_percent_in_ten_minutes(name):
    known = KNOWN[name]
    for seed in range(5):
        found, probing = searched(known.server, "p99<2s", seed=seed)
        assert probing.seconds >= 0
        assert found.method == "queue"
        assert found.rate_per_s == pytest.approx(known.rate_per_s, rel=0.1)
        assert found.interval.half(found.rate_per_s) / found.rate_per_s < 0.13


@pytest.mark.parametrize("start", [0.05, 0.3, 0.7, 1.3, 4.0])
def test_the_first_rate_does_not_matter_given_time(start):
    known = KNOWN["lognormal 0.4"]
    found, probing = searched(known.server, "p99<2s", 20_000, start)
    assert found.ended == "precision"
    assert found.interval.low <= known.rate_per_s <= found.interval.high
    assert all(requests >= 459 for _, requests in probing.asked)


def test_the_rate_is_at_most_doubled_or_halved_outward():
    found, probing = searched(STEADY, "p99<2s", 50_000, 0.01)
    rates = [rate for rate, _ in probing.asked]
    held = {load.rate_per_s for load in found.probes if load.verdict == "held"}
    for i, rate in enumerate(rates[1:], 1):
        below = [tried for tried in rates[:i] if tried in held]
        assert rate <= 2 * max(below, default=rates[0]) * 1.08


def test_equal_seeds_try_equal_loads():
    first, second = (searched(STEADY, "p99<2s", 5000, seed=4)[1].asked for _ in range(2))
    assert first == second


def test_no_time_for_a_load_is_said():
    found, probing = searched(STEADY, "p99<2s", 10.0)
    assert (found.rate_per_s, found.interval, found.ended) == (None, None, "time")
    assert probing.asked == []
    assert "10 s are left" in found.why


def test_a_short_budget_says_that_it_extrapolates():
    found, _ = searched(STEADY, "p99<2s", 300.0, 0.6)
    assert found.ended == "time"
    assert len(found.probes) == 1
    assert "extrapolated" in found.why


def test_several_percentiles_have_the_lowest_rate():
    together, _ = searched(STEADY, "p50<10s,p99<2s", 5000)
    alone, _ = searched(STEADY, "p99<2s", 5000)
    assert together.rate_per_s == pytest.approx(alone.rate_per_s, rel=0.1)
    tight, _ = searched(STEADY, "p50<0.33s,p99<20s", 20_000)
    assert tight.rate_per_s < 0.7 * alone.rate_per_s


def test_everything_held():
    found, _ = searched(STEADY, "p99<60s", 20_000, 0.3, highest_per_s=2.0)
    assert found.ended == "everything held"
    assert found.rate_per_s is None
    assert found.interval.low == 2.0
    assert math.isinf(found.interval.high)


def test_nothing_held():
    server = Workers("slow", fixed(S), S)
    found, _ = searched(server, "p99<0.25s", 1e6, lowest_per_s=0.05)
    assert found.ended == "nothing held"
    assert found.rate_per_s is None
    assert found.interval.low == 0.0


class Slowly(Probing):
    """Its first requests are answered at once, so that a load settles late."""

    def probe(self, rate_per_s, requests):
        probed = super().probe(rate_per_s, requests)
        latency = probed.latency_s.copy()
        latency[:200] = 0.01
        return Probed(rate_per_s, probed.due_s, latency)


def test_loads_are_longer_after_one_that_settled_late():
    probing = Slowly(STEADY, parsed("p99<2s"), 4000.0, 1)
    found = find_capacity(parsed("p99<2s"), probing, Plan(0.5 / S))
    first, *others = (requests for _, requests in probing.asked)
    assert found.probes[0].verdict == "undecided"
    assert "settled after 200 of 510" in found.probes[0].why
    assert (first, {*others}) == (510, {459 + 400})
    assert found.probes[1].verdict == "held"


class TestNearTheLimit:
    """Services whose requests are hardly late until they are all but overloaded."""

    @pytest.mark.parametrize("name", [n for n in KNOWN if n.startswith("2 x batches")])
    def test_a_queue_is_watched_until_it_forgets_its_begin(self, name):
        known = KNOWN[name]
        for seed in range(3):
            found, _ = searched(known.server, "p99<2s", 150.0, 0.7, seed)
            assert found.interval.low <= known.rate_per_s <= found.interval.high
            assert found.rate_per_s == pytest.approx(known.rate_per_s, rel=0.12)

    def test_no_rate_is_beyond_one_that_was_overloaded(self):
        def load(rate, latency):
            due = np.arange(600) / rate
            return judged(Probed(rate, due, latency), parsed("p99<2s"), 510)

        bound, rng = parsed("p99<2s"), np.random.default_rng(1)
        held = [load(rate, rng.permutation(np.linspace(0.1, 1.5, 600))) for rate in (5.0, 8.0)]
        over = load(10.0, 0.1 + 0.01 * np.arange(600))
        assert [one.verdict for one in (*held, over)] == ["held", "held", "overloaded"]
        edge = capacity_edge([*held, over], bound, "poisson", 1)
        assert edge.method == "counts"
        assert edge.rate_per_s == pytest.approx(math.sqrt(0.9 * 8 * 10))
        assert edge.interval.low <= 0.9 * 8 < edge.interval.high == 10


class Failing(Probing):
    """Beyond ``full`` requests a second it fails one request of ten, and says so."""

    full = 1.2

    def probe(self, rate_per_s, requests):
        probed = super().probe(rate_per_s, requests)
        if rate_per_s <= self.full:
            return probed
        latency = probed.latency_s.copy()
        latency[::10] = np.inf
        return Probed(rate_per_s, probed.due_s, latency, broken="10 % of the requests failed.")


def test_errors_bound_the_rate():
    bound = parsed("p95<20s,errors=0")
    probing = Failing(STEADY, bound, 20_000, 1)
    found = find_capacity(bound, probing, Plan(0.5))
    assert found.interval.low <= Failing.full <= found.interval.high
    assert any(load.why == "10 % of the requests failed." for load in found.probes)


class Late(Probing):
    """Its generator is always late."""

    def probe(self, rate_per_s, requests):
        probed = super().probe(rate_per_s, requests)
        return Probed(rate_per_s, probed.due_s, probed.latency_s, withheld="It was late.")


def test_a_late_generator_ends_the_search():
    bound = parsed("p95<2s")
    found = find_capacity(bound, Late(STEADY, bound, 20_000, 1), Plan(1.0))
    assert found.rate_per_s is None
    assert [load.verdict for load in found.probes] == ["withheld"] * 3


def test_a_service_that_is_no_queue_is_counted():
    bound = parsed("p90<3s")
    found = find_capacity(bound, Probing(LastFirst(), bound, 4000, 1), Plan(1.0, seed=1))
    truth = Long(LastFirst(), 100_000).capacity(90, 3.0)
    assert found.method == "counts"
    assert found.interval.low <= truth <= found.interval.high


class LastFirst:
    name = "last come, first served"
    most_per_s = 1 / S

    def done(self, due_s, rng):
        service = lognormal(S, 0.3)(rng, len(due_s))
        done, waiting = np.empty(len(due_s)), list[int]()
        now, following = 0.0, 0
        while following < len(due_s) or waiting:
            now = now if waiting else max(now, due_s[following])
            while following < len(due_s) and due_s[following] <= now:
                waiting.append(following)
                following += 1
            last = waiting.pop()
            now += service[last]
            done[last] = now
        return done


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"start_per_s": 0.0}, "first rate"),
        ({"start_per_s": 2000.0}, "first rate"),
        ({"start_per_s": 1.0, "precision": 0.0}, "scenario.precision"),
    ],
)
def test_a_plan_that_can_not_work_is_refused(options, named):
    with pytest.raises(ConfigError, match=named):
        Plan(**options)


class TestVerdict:
    bound = parsed("p90<1s")

    def of(self, latency, due=None, asked=None, **options):
        latency = np.asarray(latency, dtype=float)
        due = np.arange(len(latency)) * 2.0 if due is None else due
        return judged(Probed(0.5, due, latency, **options), self.bound, asked or len(latency))

    def test_kept(self):
        assert self.of(np.full(100, 0.5)).verdict == "held"

    def test_broken_by_the_percentile(self):
        load = self.of(np.resize([0.5] * 7 + [1.5], 100))
        assert (load.verdict, load.why) == ("broken", "p90 was 1.5 s.")

    def test_broken_by_failures(self):
        load = self.of(np.resize([0.5] * 7 + [np.inf], 100))
        assert (load.verdict, load.why) == ("broken", "p90 was inf s.")

    def test_broken_by_another_term(self):
        assert self.of(np.full(100, 0.5), broken="WER was 9 %.").why == "WER was 9 %."

    def test_overloaded(self):
        assert self.of(np.arange(100) * 1.5).verdict == "overloaded"

    def test_withheld(self):
        assert self.of(np.full(100, 0.5), withheld="The generator was late.").verdict == "withheld"

    def test_ended_early(self):
        few = self.of(np.full(60, 0.5), asked=100)
        assert (few.verdict, few.settled) == ("undecided", False)
        lost = self.of(np.resize([0.5, 1.5], 60), asked=100)
        assert (lost.verdict, lost.settled) == ("broken", False)
        assert "30 of 60 requests were late" in lost.why

    def test_a_start_that_leaves_too_few(self):
        rng = np.random.default_rng(1)
        load = self.of(np.r_[np.full(30, 0.9), rng.uniform(0.3, 0.31, 40)])
        assert load.verdict == "undecided"
        assert "have to follow" in load.why
