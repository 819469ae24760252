"""The section on method and warnings:
machines, self-test, noise, cautions, failures, what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import reading
from support.reading import words
from support.studies import BASE, GPU_TINY, MACHINE, TINY, WAV2VEC2

from asr_scaling.analysis.points import Point
from asr_scaling.core.cautions import Caution, caution
from asr_scaling.core.energy_methods import NOT_MEASURED
from asr_scaling.report.document import Section
from asr_scaling.report.machines import machines
from asr_scaling.report.method import section

MISSING = "3 calls can't bound it, 44 can"


def points(
    lengths: tuple[float | None, ...] = (5.0, 60.0), batches: tuple[int, ...] = (1, 2)
) -> list[Point]:
    """Eight points: whisper_tiny_en and wav2vec2."""
    return reading.points(TINY, WAV2VEC2, lengths=lengths, batches=batches)


def table(part: Section, name: str) -> dict[str, tuple[str, ...]]:
    """First cell → the others."""
    found = reading.tables(part)[name]
    assert {len(row.cells) for row in found.rows} == {len(found.columns)}
    return {row.cells[0].text: tuple(cell.text for cell in row.cells[1:]) for row in found.rows}


def on(point: Point, **facts: object) -> Point:
    return replace(point, environment={**MACHINE, **facts})


def test_the_machine_and_its_versions_are_listed():
    found = table(section(points()), "environment")
    assert found["CPU"] == ("Test CPU",)
    assert found["memory"] == ("16.0 GB",)
    assert found["torch"] == ("2.13.0",)
    assert found["commit"] == ("0123abc",)
    assert found["points"] == ("8",)


def test_what_changed_on_a_machine_is_listed_and_a_gpu_belongs_to_it():
    made = reading.points(TINY, GPU_TINY, lengths=(5.0,), batches=(1,))
    found = table(
        section([made[0], on(made[1], commit="4567def", device={"gpu": "Test GPU"})]), "environment"
    )
    assert found["commit"] == ("0123abc; 4567def",)
    assert found["GPU"] == ("Test GPU",)


def test_a_gpu_is_named_by_uuid_and_the_drivers_number_with_its_power_limit():
    gpu = {"gpu": "Test GPU", "uuid": "aaaa-bbbb", "nvml_index": 3, "power_limit_w": 350.5}
    found = table(
        section([on(reading.points(GPU_TINY, lengths=(5.0,), batches=(1,))[0], device=gpu)]),
        "environment",
    )
    assert (found["GPU UUID"], found["GPU number"]) == (("aaaa-bbbb",), ("3",))
    assert found["GPU power limit"] == ("350.5 W",)


def test_machines_stand_side_by_side_and_must_not_be_mixed():
    made = points()
    part = section(
        [made[0], on(made[1], cpu="Other CPU"), on(made[2], host="third", memory_bytes=None)]
    )
    assert table(part, "environment")["CPU"] == ("Test CPU", "Other CPU", "Test CPU")
    assert table(part, "environment")["memory"][2] == "–"
    found = reading.tables(part)["environment"]
    assert [column.heading for column in found.columns] == [
        "fact",
        "testbench",
        "testbench #2",
        "third",
    ]
    assert found.notes == ("Figures of different machines must not be compared as if of one.",)


def test_machines_without_facts_are_one():
    assert list(machines([replace(point, environment={}) for point in points()])) == [
        "unknown host"
    ]


def test_the_self_test_is_told_with_its_status_and_noise():
    assert "**Self-test** on testbench: passed with warnings at 2026-11-21 10:00 UTC" in words(
        section(points())
    )
    assert "noise floor of a matrix product 1.00 %" in words(section(points()))
    passed = {"status": "pass", "at": "2026-11-21T10:00:00+00:00"}
    assert (
        "passed at 2026-11-21 10:00 UTC.\n"
        in words(section([on(points()[0], certificate=passed)])) + "\n"
    )


def test_a_sweep_without_a_self_test_says_so():
    assert "**Self-test** on testbench: none before the points" in words(
        section([on(points()[0], certificate=None)])
    )


def test_the_noise_floor_is_the_median_and_the_worst():
    made = points()
    floors = (0.01, 0.02, 0.06)
    known = [
        replace(p, values={"noise/latency_floor": f}) for p, f in zip(made, floors, strict=False)
    ]
    without = replace(made[3], values={})
    text = words(section([*known, without]))
    assert f"median 2.00 %, worst 6.00 % ({known[2].name}); 1 point without." in text
    assert "no point has one" in words(section([without]))


def test_how_the_timed_passes_ended_is_counted():
    made = [
        replace(p, tags={"timing/ended_by": "budget", "timing/warmup": "steady"}) for p in points()
    ]
    made[0] = replace(made[0], tags={"timing/ended_by": "precision"}, calls=20)
    text = words(section(made))
    assert "7 points: pipeline.max_seconds were spent first; 1 point: the median was known" in text
    assert "8 to 20 calls a point, median 8." in text
    assert "**Warm-ups**: steady in 7 points, not recorded in 1 point." in text


def test_the_time_of_all_points_is_added_up():
    """Eight points of 20 s, all begun 1,795,000,000 s after 1970."""
    when = "between 2026-11-18 11:06 and 2026-11-18 11:07 UTC"
    assert f"**Time**: 8 points in 2.67 min of measuring, {when}." in words(section(points()))
    assert "**Time**: not recorded." in words(section([replace(points()[0], started_at=0.0)]))
    long = [replace(point, ended_at=point.started_at + 3600) for point in points()]
    assert "in 8.0 h of measuring" in words(section(long))


def test_cautions_are_grouped_by_kind_with_the_most_frequent_message():
    busy = [Caution("BusyMachine", message, "Stop them.") for message in ("7 %", "9 %", "9 %")]
    made = [replace(p, cautions=(c,)) for p, c in zip(points(), busy, strict=False)]
    made[0] = replace(
        made[0], cautions=(*made[0].cautions, Caution("Throttled", "hot", "Cool it."))
    )
    found = table(section(made), "cautions")
    assert found == {
        "BusyMachine": ("3", "9 % (and 1 more like it)", "Stop them."),
        "Throttled": ("1", "hot", "Cool it."),
    }
    assert next(iter(found)) == "BusyMachine", "the one that most points carry"
    assert "No caution was raised." in words(section([replace(points()[0], cautions=())]))


def test_points_that_failed_are_listed_with_their_reason():
    made = points()
    made[0] = replace(
        made[0], status="out_of_memory", reason="12 GB were asked for", values={}, calls=0
    )
    made[1] = replace(made[1], status="interrupted", reason=None, values={}, calls=0)
    found = table(section(made), "failures")
    assert found[made[0].name] == ("out of memory", "12 GB were asked for")
    assert found[made[1].name] == ("interrupted", "no reason was recorded")
    assert "Every point was measured to its end." in words(section(points()))


def test_random_synthetic_truncated_and_estimated_are_named():
    made = points()
    made[0] = replace(
        made[0],
        synthetic=True,
        copies=65,
        utterances=140,
        dataset="demo",
        cautions=(
            caution("SyntheticSpeech", dataset="demo"),
            caution("TruncatedAudio", seconds=30.0),
        ),
        tags={"energy/method": "estimated"},
    )
    text = words(section(made))
    assert "**Random weights**: wav2vec2." in text
    assert (
        "**Synthetic speech**: demo. Of 75 utterances and 65 copies of them, slower, faster or "
        "noisier."
    ) in text
    assert "**Truncated audio**: 1 point of whisper_tiny_en left audio out" in text
    assert (
        "**Energy**: estimated from given watts in 7 points, estimated in 1 point. "
        f"Estimated: {NOT_MEASURED}; nothing is ranked by them."
    ) in text


def test_nothing_random_synthetic_or_truncated_is_said_too():
    text = words(
        section([replace(p, tags={}) for p in reading.points(BASE, lengths=(5.0,), batches=(1,))])
    )
    for none in (
        "**Random weights**: none.",
        "**Synthetic speech**: none.",
        "**Truncated audio**: none;",
    ):
        assert none in text
    assert "**Energy**: not looked at." in text


def test_energy_says_by_what_it_was_measured():
    tags = {
        "energy/method": "measured",
        "energy/method_cpu": "measured by RAPL",
        "energy/method_gpu": "unavailable: no",
    }
    text = words(section([replace(points()[0], tags=tags)]))
    assert "**Energy**: measured in 1 point (cpu: measured by RAPL).\n" in text


def test_points_of_one_name_are_counted_each():
    """As those of two sweeps on two machines are."""
    caution = Caution("BusyMachine", "9 %", "Stop them.")
    made = [
        replace(
            p,
            name="same",
            cautions=(caution,),
            unavailable={"quality/wer": "random"},
            values={"noise/latency_floor": 0.01},
        )
        for p in points()[:3]
    ]
    part = section([*made, replace(made[0], values={})])
    assert table(part, "cautions")["BusyMachine"][0] == "4"
    assert table(part, "missing")["random"][0] == "4"
    assert "(same); 1 point without." in words(part)


def test_missing_figures_are_grouped_by_reason_whatever_its_numbers():
    made = [
        replace(
            point,
            unavailable={
                "latency/p90_s": f"{n} calls can't bound it, 44 can",
                "quality/wer": "random",
            },
        )
        for point, n in zip(points(), (3, 3, 3, 5), strict=False)
    ]
    made[3] = replace(made[3], unavailable={"latency/p99_s": "5 calls can't bound it, 459 can"})
    assert table(section(made), "missing") == {
        f"{MISSING} (with other numbers elsewhere)": ("4", "latency/p90_s, latency/p99_s"),
        "random": ("3", "quality/wer"),
    }
    assert "No figure that was asked for is missing." in words(
        section([replace(made[0], unavailable={})])
    )


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_measured_is_a_section_too(count: int):
    failed = [
        replace(p, status="failed", reason="x", values={}, calls=0, environment={})
        for p in points()[:count]
    ]
    part = section(failed)
    assert (part.name, part.title) == ("method", "Method and warnings")
    assert "docs/method.md" in words(part)


def test_what_intervals_are_of_is_said():
    made = [replace(p, tags={"interval/of": "3 processes"}) for p in points()]
    assert "**Intervals** are of 3 processes each.\n" in words(section(made))
    old = words(section(points()))
    assert "**Intervals** are of one process each; how much processes differ on this" in old
    none = [replace(p, intervals={}) for p in points()]
    assert "**Intervals**" not in words(section(none))
