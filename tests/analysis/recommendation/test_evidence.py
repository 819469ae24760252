"""How sure a recommendation is: what makes it provisional, and what is never recommended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from support import reading
from support.studies import BASE, GPU_TINY, TINY, WAV2VEC2, Law, study

from asr_scaling.analysis.points import Point, to_point
from asr_scaling.analysis.recommendation.scenarios import Budgets, Recommendation, recommend
from asr_scaling.analysis.system_names import named
from asr_scaling.core.cautions import caution
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.report import recommendations as answer
from asr_scaling.report.output.drawing import Style

AT_15 = Budgets(length_s=15)
GPU_BASE = replace(BASE, device="cuda:0")


def by_name(records: Sequence[RunRecord]) -> dict[str, Recommendation]:
    return {each.scenario: each for each in recommend(named(map(to_point, records)), AT_15)}


def records(*laws: Law) -> list[RunRecord]:
    return study(laws, (15.0,), (1,), noise=0.02)


def scored(one: RunRecord, edits: Sequence[int]) -> RunRecord:
    """16 utterances of 100 words, so many of them wrong in each."""
    rows = tuple(
        {**row, "substitutions": wrong} for row, wrong in zip(one.transcripts, edits, strict=True)
    )
    others = [metric for metric in one.metrics if metric.name != "quality/wer"]
    return replace(
        one, transcripts=rows, metrics=(*others, Metric("quality/wer", sum(edits) / 1600, 16))
    )


def holding(one: RunRecord, **sizes: float) -> RunRecord:
    """Without energy, its memory as given."""
    others = [
        metric for metric in one.metrics if not metric.name.startswith(("energy/", "memory/peak"))
    ]
    return replace(
        one,
        metrics=(
            *others,
            *(Metric(f"memory/peak_{name}_bytes", size) for name, size in sizes.items()),
        ),
    )


def cut(found: Sequence[Point]) -> list[Point]:
    return [replace(point, cautions=(caution("TruncatedAudio", seconds=30.0),)) for point in found]


class TestTooLittleSpeech:
    @pytest.mark.parametrize(
        ("edits", "unsure", "wer"),
        [
            (
                [29, 9] * 8,
                True,
                "can't tell",
            ),  # one point better than 20, and as well five points worse
            (
                [19, 21] * 7 + [19, 20],
                False,
                "no difference beyond ± 0.72 points",
            ),  # a sixteenth of a point better, give or take half a point
        ],
    )
    def test_a_tie_that_leaves_room_for_a_point_is_provisional(
        self, edits: list[int], unsure: bool, wer: str
    ) -> None:
        tiny, base = records(TINY, BASE)
        best = by_name([scored(tiny, [20] * 16), scored(base, edits)])["Quality"]
        assert best.winner is not None
        assert (best.winner.system, best.verdict) == (
            "whisper_tiny_en",
            f"WER: {wer}; RTFx: faster",
        )
        said = "Provisional: too little speech was scored to show or rule out a difference in WER."
        assert best.provisional == (said if unsure else "")
        assert (
            "Its WER is lower than the winner's, but not by a difference that was shown."
            in best.evidence
        )

    @pytest.mark.parametrize("errors", [80, 400])
    def test_what_losses_do_not_count_of_the_reference_s_errors_is_said_once(
        self, errors: int
    ) -> None:
        (base, *_) = records(BASE)
        most = by_name([scored(base, [errors, *[4] * 15])])["Throughput"]
        said = (
            "In changes of WER all words of one utterance count as wrong, where the baseline has "
            "more errors than words."
        )
        assert most.evidence.count(said) == (1 if errors > 100 else 0)

    def test_a_winner_of_the_lower_wer_needs_no_more(self) -> None:
        tiny, base = records(TINY, BASE)
        best = by_name([scored(tiny, [29, 9] * 8), scored(base, [20] * 16)])["Quality"]
        assert best.winner is not None
        assert (best.winner.system, best.provisional) == ("whisper_tiny_en", "")


class TestNotComparable:
    def test_other_speech_is_no_rival(self) -> None:
        tiny, base = records(TINY, BASE)
        later = {"dataset": {**tiny.dataset, "digest": "e"}, "started_at": tiny.started_at + 60}
        most = by_name([base, replace(tiny, **later)])["Throughput"]
        assert most.winner is not None
        assert most.winner.model == tiny.config["model"]["name"]
        assert (most.runner_up, most.verdict) == (None, "the only candidate")

    def test_energy_by_another_method(self) -> None:
        tiny, base = records(TINY, BASE)
        found = by_name([replace(tiny, tags={**tiny.tags, "energy/method": "measured"}), base])
        said = (
            "Provisional: what ranks winner and runner-up can't be compared (the methods differ: "
        )
        assert found["Edge"].provisional.startswith(said)
        assert found["Throughput"].provisional == ""

    def test_alike_is_not_provisional(self) -> None:
        assert {
            by_name(records(TINY, BASE))[name].provisional
            for name in ("Throughput", "Quality", "Edge")
        } == {""}


class TestMemoryWithoutEnergy:
    def test_what_ranks_is_what_is_compared(self) -> None:
        """By the process's memory it would be the other way round."""
        tiny, base = records(GPU_TINY, GPU_BASE)
        edge = by_name([holding(tiny, device=2e8, rss=1e8), holding(base, device=1e8, rss=2e8)])[
            "Edge"
        ]
        assert edge.winner is not None
        assert (edge.winner.system, edge.provisional) == ("whisper_base", "")
        assert any(said.startswith("Against it, memory -50.0 %") for said in edge.evidence)

    def test_memory_of_two_kinds_is_not(self) -> None:
        tiny, base = records(TINY, GPU_BASE)
        edge = by_name([holding(tiny, rss=2e8), holding(base, device=1e8, rss=9e8)])["Edge"]
        assert edge.winner is not None
        assert (edge.winner.system, edge.verdict) == ("whisper_base", "memory: not compared")
        assert (
            "one figure is of the accelerator's memory, the other of the process's"
            in edge.provisional
        )


class TestTruncatedAudio:
    def test_it_is_never_recommended_but_spoken_of(self) -> None:
        tiny, base = (reading.points(law, lengths=(15.0,), batches=(1,)) for law in (TINY, BASE))
        found = {each.scenario: each for each in recommend([*cut(tiny), *base], AT_15)}
        assert {each.winner.system for each in found.values() if each.winner} == {"whisper_base"}
        (said,) = (
            line for line in found["Throughput"].evidence if line.startswith("whisper_tiny_en")
        )
        assert said.startswith("whisper_tiny_en · cpu · batch 1 is faster (RTFx ")
        assert said.endswith("but it transcribes only part of the audio.")

    def test_where_there_is_nothing_else_nothing_is_recommended(self) -> None:
        found = cut(reading.points(TINY, lengths=(15.0,), batches=(1,)))
        most = {each.scenario: each for each in recommend(found, AT_15)}["Throughput"]
        assert (most.winner, most.verdict) == (
            None, "No system of known WER that transcribes all of its audio was measured."
        )  # fmt: skip
        section = answer.section(found, AT_15, Style.of(found))
        assert "Fastest without regard" not in reading.words(section)
        assert any(
            "speed is overstated" in note
            for note in reading.tables(section)["minute-of-audio"].notes
        )


def test_the_fastest_of_all_was_measured_to_its_end() -> None:
    found = reading.points(WAV2VEC2, lengths=(15.0,), batches=(1,))
    broken = replace(found[0], system="broken", status="failed", values={"throughput/rtfx": 1e6})
    section = answer.section([*found, broken], AT_15, Style.of([*found, broken]))
    assert "Fastest without regard to that is wav2vec2 · cpu · batch 1." in reading.words(section)
