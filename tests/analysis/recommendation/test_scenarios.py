"""Recommendations on studies whose laws are known:
who wins, why, and what is said where nobody can."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from support.reading import tables, words
from support.studies import BASE, GPU_TINY, TINY, WAV2VEC2, Law, record, study

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.reproduce import command
from asr_scaling.analysis.recommendation.scenarios import Budgets, Recommendation, recommend
from asr_scaling.analysis.system_names import named
from asr_scaling.cli.sweep import batch_shorthand
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import ConfigError, DataError
from asr_scaling.report import recommendations as answer
from asr_scaling.report.document import Bullets, Command, Table, Text
from asr_scaling.report.output.drawing import Style
from asr_scaling.util.config_dir import conf_dir

AS_GOOD = replace(BASE, wer=TINY.wer)
FAST = replace(WAV2VEC2, per_s=0.001)
AT_15 = Budgets(length_s=15)


def points(
    *laws: Law, calls: int = 8, batches: Sequence[int] = (1, 16), noise: float = 0.02
) -> list[Point]:
    return named(map(to_point, study(laws, (15.0,), batches, calls=calls, noise=noise)))


def by_name(found: Sequence[Point], budgets: Budgets = AT_15) -> dict[str, Recommendation]:
    return {each.scenario: each for each in recommend(found, budgets)}


def name(point: Point | None) -> tuple[str, int] | None:
    return None if point is None else (point.system, point.batch)


class TestWhoWins:
    @pytest.mark.parametrize(("scenario", "batch"), [("Real time", 1), ("Throughput", 16)])
    def test_what_is_faster_and_loses_too_much_is_named_and_passed_over(
        self, scenario: str, batch: int
    ) -> None:
        found = by_name(points(TINY, BASE))[scenario]
        assert name(found.winner) == ("whisper_base", batch)
        assert found.undecided == ()
        (said,) = [said for said in found.evidence if "whisper_tiny_en" in said]
        assert said.startswith(f"whisper_tiny_en · cpu · batch {batch} is faster (")
        assert f"against whisper_base · cpu · batch {batch}, WER +1.00 ± " in said
        assert said.endswith(" points: shown beyond 0.5.")

    def test_more_may_be_allowed_to_be_lost(self) -> None:
        found = by_name(points(TINY, BASE), replace(AT_15, max_wer_loss=0.02))["Throughput"]
        assert name(found.winner) == ("whisper_tiny_en", 16)
        assert "at most 2 points above" in found.rule
        assert any(said.endswith(" points: shown within 2.") for said in found.evidence)

    def test_what_is_faster_and_undecided_stands_beside_the_winner(self) -> None:
        laws = (AS_GOOD, replace(AS_GOOD, window_cost_s=0.1))
        plain, fast = (_scored(each, 4) for each in study(laws, (15.0,), (1,), noise=0.02))
        most = by_name(named(map(to_point, [plain, _optimised(fast, "int8")])))["Throughput"]
        assert name(most.winner) == ("whisper_base", 1)
        (rival,) = most.undecided
        assert rival.point.optimisations == ("int8",)
        assert rival.factor > 1.5
        assert rival.said.startswith("Undecided: whisper_base · int8 · cpu · batch 1 is ")
        assert " points: undecided; about " in rival.said
        assert rival.said.endswith(" more words would decide.")

    def test_losses_count_from_the_plain_system_not_from_a_lucky_one(self) -> None:
        """Plain base errs in 4 of 100 words, a lucky optimisation of it in 3, a fast one in 4."""
        plain = study((BASE,), (15.0,), (1,))[0]
        lucky = _optimised(study((replace(BASE, wer=0.03),), (15.0,), (1,))[0], "fused")
        fast = _optimised(study((replace(BASE, window_cost_s=0.1),), (15.0,), (1,))[0], "int8")
        most = by_name(named(map(to_point, [lucky, plain, fast])))["Throughput"]
        assert most.winner is not None
        assert most.winner.optimisations == ("int8",)
        assert any(
            said.startswith("Against whisper_base · cpu · batch 1, WER +0.00 ± ")
            for said in most.evidence
        )

    def test_whatever_misses_the_budget_is_passed_over_and_named(self) -> None:
        live = by_name(points(TINY, BASE), replace(AT_15, latency_p95_s=0.7))["Real time"]
        assert name(live.winner) == ("whisper_tiny_en", 1)
        assert live.runner_up is None
        assert live.verdict == "the only candidate"
        (missed,) = [said for said in live.evidence if "misses the budget" in said]
        assert missed.startswith("whisper_base · cpu · batch 1")
        assert missed.endswith("where at most 700 ms is asked for.")

    def test_where_wers_do_not_differ_latency_decides(self) -> None:
        live = by_name(points(TINY, AS_GOOD))["Real time"]
        assert name(live.winner) == ("whisper_tiny_en", 1)
        assert name(live.runner_up) == ("whisper_base", 1)
        assert live.verdict == "latency: faster"

    def test_quality_takes_the_faster_batch_of_the_most_accurate(self) -> None:
        best = by_name(points(TINY, BASE))["Quality"]
        assert name(best.winner) == ("whisper_base", 16)
        assert name(best.runner_up) == ("whisper_tiny_en", 16)
        assert best.verdict == "WER: better"
        assert any(
            "WER -1.00 points (95 % interval -1.69 to -0.502 points): better" in said
            for said in best.evidence
        )

    def test_few_utterances_show_no_wer_and_say_so(self) -> None:
        few = [_scored(each, 4) for each in study((TINY, BASE), (15.0,), (1,), noise=0.02)]
        best = by_name(named(map(to_point, few)))["Quality"]
        assert name(best.winner) == ("whisper_tiny_en", 1)
        assert best.verdict == "WER: can't tell; RTFx: faster"
        assert "too little speech was scored to show or rule out" in best.provisional

    def test_throughput_is_the_highest_rtfx_on_any_device(self) -> None:
        most = by_name(points(TINY, AS_GOOD, GPU_TINY))["Throughput"]
        assert (name(most.winner), most.winner and most.winner.device) == (
            ("whisper_tiny_en", 16),
            "cuda:0",
        )
        assert most.verdict == "RTFx: faster"

    def test_no_difference_is_said(self) -> None:
        twin = replace(TINY, model="whisper_tiny")
        most = by_name(points(TINY, twin, batches=(1,), calls=48))["Throughput"]
        assert most.verdict.startswith("RTFx: no difference beyond ± ")

    def test_one_process_each_leaves_it_provisional_which_is_faster(self) -> None:
        faster = replace(TINY, model="whisper_tiny", per_s=0.9 * TINY.per_s)
        records = [replace(r, environment={**r.environment, "spread": None})
                   for r in study((TINY, faster), (15.0,), (1,), calls=48)]  # fmt: skip
        most = by_name(named(map(to_point, records)))["Throughput"]
        assert most.verdict == "RTFx: can't tell"
        assert "it can't be told which has the better RTFx (one process a side" in most.provisional
        assert "selftest measures it" in most.provisional

    def test_the_edge_has_little_memory_and_takes_the_fewest_joules(self) -> None:
        small = by_name(points(TINY, BASE), replace(AT_15, memory_bytes=4e8))["Edge"]
        assert name(small.winner) == ("whisper_tiny_en", 1)  # 16 utterances of tiny take 1.1 GB
        assert small.verdict == "energy per second of audio: less"
        assert "estimated" in small.figures

    def test_guessed_power_ranks_nothing_and_keeps_no_bound(self) -> None:
        """Joules that are seconds × a constant: the edge goes by memory, whatever they say."""
        guess = {"energy/method": "estimated"}
        guessed = [replace(p, tags={**p.tags, **guess}) for p in points(TINY, BASE)]
        small = by_name(guessed, replace(AT_15, memory_bytes=2e9))["Edge"]
        assert name(small.winner) == ("whisper_tiny_en", 1)
        assert "no power was measured" in small.rule
        assert "energy unknown (power was not measured)" in small.figures
        bounded = by_name(guessed, replace(AT_15, energy_j_per_audio_s=1e9))["Edge"]
        assert bounded.winner is None
        assert "power was not measured" in " ".join((bounded.verdict, *bounded.evidence))

    def test_without_energy_the_edge_goes_by_memory_and_says_so(self) -> None:
        blind = [
            replace(p, values={k: v for k, v in p.values.items() if not k.startswith("energy/")})
            for p in points(TINY)
        ]
        small = by_name(blind, replace(AT_15, memory_bytes=2e9))["Edge"]
        assert name(small.winner) == ("whisper_tiny_en", 1)
        assert "no power was measured" in small.rule


def test_a_bound_on_wer_is_one_on_cer_where_a_script_has_no_spaces() -> None:
    """CER is 1 %, WER more: a bound of 1.1 % keeps the point, and what is shown is CER."""
    tags = {"quality/headline": "cer"}
    chinese = [
        replace(p, tags={**p.tags, **tags}, values={**p.values, "quality/cer": 0.01})
        for p in points(TINY)
    ]
    assert all(p.values["quality/wer"] > 0.011 for p in chinese)
    best = by_name(chinese, replace(AT_15, max_wer=0.011))["Quality"]
    assert best.winner is not None
    assert "CER 1.00" in best.figures
    assert by_name(points(TINY), replace(AT_15, max_wer=0.011))["Quality"].winner is None


class TestUnknownWer:
    def test_it_is_never_recommended_but_spoken_of(self) -> None:
        found = by_name(points(TINY, FAST))
        assert {name(each.winner) and name(each.winner)[0] for each in found.values()} == {
            "whisper_tiny_en"
        }
        said = [s for s in found["Throughput"].evidence if s.startswith("wav2vec2")]
        assert said[0].startswith("wav2vec2 · cpu · batch 16 is faster (RTFx ")
        assert said[0].endswith("but its WER is unknown: random weights.")

    def test_a_slower_one_is_not_worth_a_word(self) -> None:
        most = by_name(points(TINY, WAV2VEC2))["Throughput"]
        assert not any("unknown" in said for said in most.evidence)

    def test_where_all_are_unknown_there_is_no_winner(self) -> None:
        most = by_name(points(FAST))["Throughput"]
        assert (most.winner, most.verdict) == (None, "No system of known WER was measured.")
        assert any(
            "wav2vec2 · cpu · batch 16 meets the budget, but" in said for said in most.evidence
        )


class TestHowSure:
    def test_withheld_p95_makes_it_provisional_and_the_command_confirms_it(self) -> None:
        live = by_name(points(TINY))["Real time"]
        assert "8 calls can't bound the 95th percentile (90 can)" in live.provisional
        assert live.figures.startswith("slowest of 8 calls ")
        assert "model=whisper_tiny_en" in live.command
        assert "batch=1 " in live.command
        assert "dataset.length_s=15" in live.command
        assert (
            "pipeline.min_iterations=90 pipeline.precision=null pipeline.max_seconds="
            in live.command
        )

    def test_p95_needs_no_stand_in(self) -> None:
        live = by_name(points(TINY, calls=100))["Real time"]
        assert live.provisional == ""
        assert live.figures.startswith("p95 ")
        assert "min_iterations" not in live.command

    def test_a_tail_that_may_miss_the_budget_is_said(self) -> None:
        found = points(TINY, calls=100, batches=(1,))
        tail, interval = found[0].values["latency/p95_s"], found[0].intervals["latency/p95_s"]
        assert tail < interval.high
        for bound, beyond in ((tail, True), (interval.high * 1.01, False)):
            live = by_name(found, replace(AT_15, latency_p95_s=bound))["Real time"]
            assert ("The interval of its p95 reaches beyond the budget." in live.evidence) == beyond

    def test_different_speech_is_not_compared(self) -> None:
        other = [
            replace(r, dataset={**r.dataset, "digest": "e"}) for r in study((TINY,), (15.0,), (1,))
        ]
        found = named(map(to_point, [*study((BASE,), (15.0,), (1,)), *other]))
        most = by_name(found)["Throughput"]
        assert name(most.winner) == ("whisper_base", 1)
        assert (most.runner_up, most.verdict) == (None, "the only candidate")
        told = words(answer.section(found, AT_15, Style.of(found)))
        assert "Ranked are the points on speech (#d): figures of different speech" in told
        assert "Left out with their number of points: speech (#e) (1)." in told

    def test_a_record_that_is_gone_is_a_sentence(self) -> None:
        def gone() -> RunRecord:
            raise DataError("record.json is gone.")

        found = by_name([replace(point, load=gone) for point in points(TINY, BASE)])
        most, best = found["Throughput"], found["Quality"]
        assert name(most.winner) == ("whisper_base", 16)
        assert most.undecided[0].said.endswith("their words can't be compared.")
        assert "The two can't be compared: record.json is gone." in best.evidence

    def test_few_records_are_read_whole(self) -> None:
        read: list[str] = []

        def loading(point: Point) -> Point:
            return replace(point, load=lambda: read.append(point.name) or point.load())

        laws = [
            replace(TINY, model=f"m{i}", wer=0.05 + i / 50, window_cost_s=1 / (i + 2))
            for i in range(40)
        ]
        recommend([loading(point) for point in points(*laws, batches=(1, 2))], AT_15)
        assert 0 < len(read) <= 40


class TestNobody:
    def test_the_nearest_miss_is_named(self) -> None:
        live = by_name(points(TINY, BASE, noise=0.0), replace(AT_15, latency_p95_s=0.25))[
            "Real time"
        ]
        assert (live.winner, live.command) == (None, "")
        assert live.verdict == "No system of known WER meets the budget."
        assert live.evidence[0] == (
            "Nearest: whisper_tiny_en · cpu · batch 1, slowest of 8 calls 500 ms where at most "
            "250 ms is asked for."
        )

    def test_an_unmeasured_length_lists_the_measured_ones(self) -> None:
        (live, *_) = recommend(points(TINY), Budgets(length_s=45))
        assert live.verdict == "Nothing was measured at 45 s; measured: 15 s."

    def test_a_live_request_needs_batch_1(self) -> None:
        live = by_name(points(TINY, batches=(4,)))["Real time"]
        assert live.verdict == "No point of batch 1 was measured at 15 s."

    def test_failed_points_are_none(self) -> None:
        broken = [replace(point, status="failed", reason="no") for point in points(TINY)]
        assert {each.verdict for each in recommend(broken, Budgets())} == {
            "No point was measured to its end."
        }
        assert len(recommend([], Budgets())) == 4

    def test_max_wer_counts_in_every_scenario(self) -> None:
        found = by_name(points(TINY, BASE), replace(AT_15, max_wer=0.04, memory_bytes=2e9))
        assert {name(each.winner) and name(each.winner)[0] for each in found.values()} == {
            "whisper_base"
        }


@pytest.mark.parametrize(
    "option", ["latency_p95_s", "memory_bytes", "max_wer", "length_s", "price_per_hour"]
)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_budget_is_a_positive_number(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{option} must be a positive number"):
        Budgets(**{option: value})


def _optimised(record: RunRecord, *names: str, **changes: object) -> RunRecord:
    options = {name: {"_target_": f"asr_scaling.optimisation.{name}.X"} for name in names}
    return replace(record, config={**record.config, "optimisation": options}, **changes)


def _scored(record: RunRecord, utterances: int) -> RunRecord:
    return replace(record, transcripts=record.transcripts[:utterances])


class TestSection:
    def test_winners_of_one_process_are_said_to_be(self) -> None:
        found = points(TINY, BASE, noise=0.0)
        said = "was timed by one process, and intervals don't cover what differs between processes"
        for tags, there in (({}, True), ({"interval/of": "3 processes"}, False)):
            those = [replace(point, tags={**point.tags, **tags}) for point in found]
            section = answer.section(those, AT_15, Style.of(those))
            table = tables(section)["recommendations"]
            assert any(said in note for note in table.notes) is there

    def test_the_summary_answers_first(self) -> None:
        found = points(TINY, BASE, noise=0.0)
        section = answer.section(found, replace(AT_15, price_per_hour=3.6), Style.of(found))
        first, table = section.blocks[:2]
        assert isinstance(first, Text)
        assert first.text.startswith(
            "For fragments of 15 s of speech use **whisper_base · cpu · batch 16** (RTFx 17.2; "
        )
        assert "For live speech use **whisper_base · cpu · batch 1**, provisionally" in first.text
        # 16 utterances of 15 s take 13.97 s: 3.4925 s a minute, at 20 W and 0.001 a second
        assert (
            "3.49 s of compute, a price of 0.00349 and 69.8 J (estimated from given watts)"
            in first.text
        )
        assert "What to optimise first: " in first.text
        assert isinstance(table, Table)
        assert [row.cells[0].text for row in table.rows] == [
            "Real time",
            "Throughput",
            "Quality",
            "Edge",
        ]
        assert sum(isinstance(block, Command) for block in section.blocks) == 4
        assert sum(isinstance(block, Bullets) for block in section.blocks) == 4

    def test_the_cost_of_a_minute_is_of_the_fastest_batch(self) -> None:
        found = points(TINY, WAV2VEC2, noise=0.0)
        costs = answer.section(found, AT_15, Style.of(found)).blocks[-1]
        assert isinstance(costs, Table)
        tiny, wav2vec2 = costs.rows
        texts = [cell.text for cell in tiny.cells]
        assert texts[:4] == ["whisper_tiny_en", "cpu", "16", "1.81"]
        assert tiny.cells[4].sort == pytest.approx(60 * 20 * 7.25 / 16 / 15)
        assert tiny.cells[5].sort == pytest.approx(60 * 20 * 7.25 / 16 / 15 / 3.6)
        assert (wav2vec2.cells[7].text, wav2vec2.cells[7].note) == ("–", "random weights")

    @pytest.mark.parametrize(
        "found", [[], points(FAST), points(TINY, batches=(4,))], ids=["none", "random", "no b1"]
    )
    def test_partial_data_end_in_sentences(self, found: list[Point]) -> None:
        section = answer.section(found, Budgets(), Style.of(found))
        assert isinstance(section.blocks[0], Text)
        assert "othing" in section.blocks[0].text


def test_the_command_measures_the_same_point_again() -> None:
    """Its overrides compose to the very config that the point was measured with."""

    def composed(overrides: list[str]) -> dict[str, object]:
        with initialize_config_dir(str(Path(conf_dir()).resolve()), version_base="1.3"):
            made = OmegaConf.to_container(compose("config", overrides), resolve=True)
        assert isinstance(made, dict)
        return {str(key): value for key, value in made.items()}

    config = composed(
        [
            "model=wav2vec2",
            "model.weights=random",
            "model.revision=v2",
            "engine.dtype=bfloat16",
            "engine.compile=true",
            "device=cuda",
            "device.index=1",
            "dataset=folder",
            "dataset.path='/data/my speech, two'",
            "dataset.length_s=2.5",
            "dataset.seed=7",
            "batch=bucketed",
            "batch.size=8",
            "pipeline.max_seconds=3",
            "seed=7",
            "optimisation=[dynamic_window,one_thread]",
            "optimisation.dynamic_window.margin_s=1.5",
        ]
    )
    point = replace(to_point(record(WAV2VEC2, 2.5, 8)), config=config)
    python, *words = shlex.split(command(point))
    assert (python, words[:2]) == ("python", ["-m", "asr_scaling"])
    assert composed([batch_shorthand(word) for word in words[2:]]) == config
    assert "optimisation.one_thread" not in command(point)
    shorter = replace(point, config=composed(["batch.size=8"]), model="whisper_tiny_en")
    assert command(shorter) == (
        "python -m asr_scaling model=whisper_tiny_en engine=transformers device=cpu dataset=demo "
        "batch=8"
    )


def test_the_command_names_what_was_chosen() -> None:
    """A YAML of the user's own has the name of its file; else that of its class's YAML will do."""
    point = to_point(record(TINY, 15.0, 1))
    chosen = {"model": "my_tiny", "engine": "transformers", "device": "my_cpu"}
    kept = replace(point, config={**point.config, "hydra": {"choices": chosen}})
    assert command(kept).startswith(
        "python -m asr_scaling model=my_tiny engine=transformers device=cpu dataset.length_s=15"
    )
