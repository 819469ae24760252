"""Which system for so many requests a second: the cheapest that is shown to hold them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.queues import Server, asked, searched
from support.studies import BASE, TINY, record

from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.recommendation.answers import Answers, answers
from asr_scaling.analysis.recommendation.budget import Budget
from asr_scaling.analysis.system_names import named
from asr_scaling.core.energy_methods import GUESSED
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import ConfigError

SMALL = Server(5.0)  # holds 2.70 ± 0.13 with p99<2s
LARGE = Server(12.0, idle_w=30.0, busy_w=200.0)  # 9.70 ± 0.48, for more energy
FRUGAL = Server(12.0, idle_w=5.0, busy_w=60.0)
BATCHED: dict[str, Any] = {"serving": "batched", "options": {"max_batch": 8}}
REPLICAS: dict[str, Any] = {"serving": "replicas", "options": {"workers": 2}}


def answer(*records: RunRecord, **budget: Any) -> Answers:
    return answers(named(map(to_point, records)), Budget(**budget))


def winner(found: Answers) -> str | None:
    return None if found.found.winner is None else found.found.winner.serving


class TestWhoWins:
    @pytest.mark.parametrize(
        ("qps", "serving"), [(1.0, "replicas"), (2.5, "replicas"), (4.0, "replicas"), (11.0, None)]
    )
    def test_the_least_energy_of_those_that_hold_it(self, qps: float, serving: str | None) -> None:
        records = (searched(SMALL), searched(LARGE, **BATCHED), searched(FRUGAL, **REPLICAS))
        found = answer(*records, qps=qps, latency_p99_s=2.0, max_wer=0.06)
        assert winner(found) == serving

    def test_what_does_not_hold_it_never_wins_however_frugal(self) -> None:
        frugal = replace(SMALL, idle_w=1.0, busy_w=2.0)
        records = (searched(frugal), searched(LARGE, **BATCHED))
        assert winner(answer(*records, qps=2.0, max_wer=0.06)) == "direct"
        found = answer(*records, qps=4.0, max_wer=0.06)
        assert winner(found) == "batched"
        (said,) = [line for line in found.found.evidence if "serving=direct" in line]
        assert "holds 2.70 ± 0.13 requests/s with p99<2s where at least 4 a second" in said

    def test_figures_are_at_the_rate_that_was_asked_for(self) -> None:
        found = answer(searched(SMALL), qps=1.5, max_wer=0.06)
        joules = 3600 * (20 + 60 * 0.3) / 7.5 / 1e3  # 18.2
        assert "holds 2.70 ± 0.13 requests/s with p99<2s" in found.found.figures
        assert f"{joules:.1f}" in found.found.figures
        assert "kJ per hour of audio at 1.50/s, measured" in found.found.figures
        assert "WER under load 5.0" in found.found.figures
        assert found.found.rule == (
            "Requests at least 1.5 a second with p99<2s, WER under load at most 6 %: the least "
            "energy for an hour of audio at that rate."
        )

    def test_without_known_power_the_fewest_busy_cores(self) -> None:
        lean = replace(LARGE, cores=0.5)
        records = [searched(lean, method=GUESSED), searched(LARGE, method=GUESSED, **BATCHED)]
        found = answer(*records, qps=4.0, max_wer=0.06)
        assert winner(found) == "direct"
        assert "the fewest busy cores at that rate (no power was measured)" in found.found.rule
        assert "against runner-up" not in found.found.verdict
        assert found.found.verdict == "use of the cores under load: less"

    def test_without_a_use_of_cores_the_fewest_machine_seconds(self) -> None:
        records = [searched(LARGE, method=GUESSED), searched(SMALL, method=GUESSED, **BATCHED)]
        bare = [
            replace(
                one,
                loads=tuple(
                    replace(
                        load,
                        metrics=tuple(m for m in load.metrics if m.name != "load/cpu_share"),
                    )
                    for load in one.loads
                ),
            )
            for one in records
        ]
        found = answer(*bare, qps=2.0, max_wer=0.06)
        assert winner(found) == "direct"
        assert "the fewest machine seconds" in found.found.rule

    def test_wer_under_load_is_bounded(self) -> None:
        worse = replace(FRUGAL, wer=0.08)
        found = answer(searched(worse), searched(LARGE, **BATCHED), qps=4.0, max_wer=0.06)
        assert winner(found) == "batched"
        assert any("WER under load 8.00 ± 0.40 %" in line for line in found.found.evidence)

    def test_without_a_bound_on_wer_no_model_wins_that_loses_more_than_is_allowed(self) -> None:
        small, large = searched(FRUGAL, law=TINY), searched(LARGE, law=BASE)
        assert winner(answer(small, large, qps=4.0)) == "direct"
        found = answer(small, large, qps=4.0)
        assert found.found.winner is not None
        assert found.found.winner.model == "whisper_base"
        said = next(line for line in found.found.evidence if "whisper_tiny_en" in line)
        assert " is cheaper (holds 9.70" in said

    def test_a_system_without_a_known_wer_is_passed_over(self) -> None:
        random = searched(FRUGAL, law=replace(TINY, wer=None))
        found = answer(random, searched(LARGE, law=BASE), qps=4.0, max_wer=0.06)
        assert found.found.winner is not None
        assert found.found.winner.model == "whisper_base"

    def test_rates_of_a_sweep_are_one_system(self) -> None:
        loads = [asked(SMALL, rate, swept={"scenario.rate": str(rate)}) for rate in (0.5, 1, 2, 4)]
        found = answer(*loads, qps=1.0, latency_p99_s=2.0, max_wer=0.06)
        assert winner(found) == "direct"
        assert len(found.among.points) == 1
        assert "holds at least 2.00 requests/s with p99<2s" in found.found.figures


class TestWhatIsOpen:
    def test_what_may_hold_it_for_less_is_named_with_what_decides(self) -> None:
        frugal = replace(SMALL, idle_w=1.0, busy_w=2.0)
        found = answer(searched(frugal), searched(LARGE, **BATCHED), qps=2.7, max_wer=0.06)
        assert winner(found) == "batched"
        (rival,) = found.found.undecided
        assert rival.factor > 10
        assert "may or may not hold 2.70 a second with p99<2s" in rival.said
        assert rival.said.endswith("scenario=requests scenario.rate=2.7")
        assert rival.said in found.lines

    def test_what_costs_more_need_not_be_decided(self) -> None:
        records = (searched(replace(SMALL, busy_w=900.0)), searched(FRUGAL, **BATCHED))
        assert answer(*records, qps=2.7, max_wer=0.06).found.undecided == ()

    def test_where_nothing_is_shown_to_hold_it_what_may_is_named(self) -> None:
        found = answer(searched(SMALL), qps=2.7, max_wer=0.06)
        assert winner(found) is None
        assert "Nothing measured meets this" in found.lines[-1]
        assert any("a load decides:" in line for line in found.found.evidence)

    def test_the_nearest_miss_is_named(self) -> None:
        found = answer(searched(SMALL), qps=6.0, max_wer=0.06)
        assert winner(found) is None
        assert any(line.startswith("Nearest: whisper_tiny_en") for line in found.found.evidence)


class TestWhatCantBeAnswered:
    def test_without_loads_the_command_that_measures_them_is_said(self) -> None:
        with pytest.raises(ConfigError, match=r"No load was measured here: .*scenario=capacity"):
            answer(record(TINY, None, 1), qps=2.0)

    @pytest.mark.parametrize("bound", [{"min_rtfx": 2.0}, {"memory_bytes": 1e9}, {"batch": 4}])
    def test_bounds_of_calls_are_refused(self, bound: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match="would bound calls"):
            Budget(qps=2.0, **bound)

    def test_a_bound_of_requests_alone_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="together with --qps"):
            Budget(latency_p99_s=2.0)


class TestWithoutAsking:
    def test_what_holds_most_comes_before_what_is_fastest(self) -> None:
        found = answer(searched(SMALL), searched(LARGE, **BATCHED))
        first, second, *_ = found.lines
        assert first.startswith(
            "Most requests that arrive: whisper_tiny_en · serving=batched · cpu (holds "
            "9.70 ± 0.48 requests/s with p99<2s"
        )
        assert second.startswith("For natural utterances of speech: ")
        assert found.facts["answer/requests"] == first

    def test_how_it_is_served_loses_no_words_that_load_does_not_change(self) -> None:
        few = {"law": replace(TINY, wer=0.3)}  # 16 utterances can't show it within half a point
        found = answer(searched(SMALL, **few), searched(LARGE, **few, **BATCHED))
        assert found.most is not None
        assert found.most.undecided == ()
        assert "serving=batched" in found.lines[0]
        assert any("served in another way" in line for line in found.most.evidence)

    def test_what_load_makes_worse_does_not_count_as_the_same(self) -> None:
        worse = searched(LARGE, **BATCHED)
        loads = tuple(
            replace(
                load,
                metrics=tuple(
                    replace(m, value=0.2, interval=None) if m.name == "load/wer" else m
                    for m in load.metrics
                ),
            )
            for load in worse.loads
        )
        worse = replace(worse, loads=loads)
        assert winner(answer(searched(SMALL), worse, qps=2.0, max_wer=0.1)) == "direct"
        most = answer(searched(SMALL), worse)
        assert "serving=direct" in most.lines[0]
        assert most.lines[1].endswith("but load makes its WER 15.0 points higher than alone.")

    def test_servings_of_one_system_are_one_where_calls_are_asked_about(self) -> None:
        found = answer(searched(SMALL), searched(LARGE, **BATCHED))
        assert len(found.among.points) == 1
        assert found.found.runner_up is None

    def test_without_loads_nothing_is_said_of_requests(self) -> None:
        found = answer(record(TINY, None, 1), record(BASE, None, 1))
        assert found.most is None
        assert not any("requests" in line for line in found.lines)
        assert found.facts["answer/requests"] == "none"
