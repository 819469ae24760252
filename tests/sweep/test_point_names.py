"""Whatever a sweep varies tells its points apart: in names, in the table and in the report."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from support.every_option import chosen, composed, leaves, other, with_value
from support.studies import TINY, record

from asr_scaling.analysis.points import to_point
from asr_scaling.analysis.recommendation.reproduce import text
from asr_scaling.analysis.system_names import named
from asr_scaling.core.record import RunRecord
from asr_scaling.report.terminal import points_table
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.sweep.point_names import Swept, made_up, point_name, swept, told

EVERY = list(chosen())


def measured(config: Mapping[str, Any], overrides: tuple[str, ...], varied: Swept) -> RunRecord:
    """The record of a point of a sweep, its figures those of every other."""
    choices = {"engine": "transformers", "device": "cpu", "model": config["model"]["name"]}
    choices |= dict(each.split("=") for each in overrides if "." not in each and "[" not in each)
    made = {"choices": choices, "overrides": list(overrides)}
    plain = {**config, "hydra": made}
    plain["hydra"] = {**made, "swept": told(plain, overrides, varied)}
    size = config["batch"].get("size")
    one = record(TINY, None, size if isinstance(size, int) else 1)
    model = {**one.system["model"], "name": config["model"]["name"]}
    return replace(
        one,
        name=point_name(plain),
        config=plain,
        system={**one.system, "model": model},
        dataset={**one.dataset, "name": config["dataset"]["name"], "digest": _digest(config)},
    )


def _digest(config: Mapping[str, Any]) -> str:
    """Other files hold other speech."""
    places = [config["dataset"].get(key) for key in ("path", "audio_root", "manifest")]
    return hashlib.sha256(repr(places).encode()).hexdigest()


def pair(first: dict[str, Any], second: dict[str, Any], *overrides: str) -> list[RunRecord]:
    """Two points of one sweep, each with an override of its own."""
    planned = [PlannedPoint.of(("seed=1", each)) for each in overrides]
    varied = swept(planned)
    return [
        measured(config, point.overrides, varied)
        for config, point in zip((first, second), planned, strict=True)
    ]


def rows(records: list[RunRecord]) -> list[str]:
    """The table's rows, in which all figures are alike."""
    out = Console(width=500, record=True, file=io.StringIO())
    out.print(points_table(records)[1])
    return [line.strip() for line in out.export_text().splitlines()[-2:]]


def identities(records: list[RunRecord]) -> set[tuple[object, ...]]:
    """What the report calls them."""
    found = named(map(to_point, records))
    return {(p.system, p.device, p.dataset, p.length_s, p.batch) for p in found}


class TestEveryOption:
    @pytest.mark.parametrize(
        ("group", "override"),
        [(group, override) for group, _, override in EVERY],
        ids=[override for _, _, override in EVERY],
    )
    def test_swept_tells_points_apart(self, group: str, override: str) -> None:
        usual = composed(override)
        for leaf in leaves(usual[group]):
            key = f"{group}.{leaf}"
            value: Any = usual
            for step in key.split("."):
                value = value[step]
            changed = with_value(usual, key, other(value))
            texts = [f"{key}={text(each)}" for each in (value, other(value))]
            records = pair(usual, changed, *texts)
            assert len({each.name for each in records}) == 2, key
            if group == "scenario":  # one system, under another load
                assert len(identities(records)) == 1, key
                continue
            assert len(identities(records)) == 2, key
            if key != "dataset.length_s":  # every call of these records lasts as long
                assert len(set(rows(records))) == 2, key

    @pytest.mark.parametrize("key", ["seed", "pipeline.max_seconds", "sweep.keep_loaded"])
    def test_outside_the_groups_too(self, key: str) -> None:
        usual = composed()
        first, second = (with_value(usual, key, value) for value in (1, 2))
        records = pair(first, second, f"{key}=1", f"{key}=2")
        assert [each.name.split()[-1] for each in records] == [f"{key}=1", f"{key}=2"]
        assert len(identities(records)) == len(set(rows(records))) == 2

    @pytest.mark.parametrize(
        "both",
        [
            ("batch=fixed", "batch=bucketed"),
            ("profiler=default", "profiler=all"),
            ("optimisation=[]", "optimisation=[one_thread]"),
            ("device=cpu", "device=cuda"),
            ("model=whisper_tiny", "model=whisper_base"),
            ("dataset=demo", "dataset=folder"),
        ],
    )
    def test_the_choice_of_a_group_too(self, both: tuple[str, str]) -> None:
        records = pair(*map(composed, both), *both)
        assert len({each.name for each in records}) == 2

    def test_two_yamls_of_one_model_name(self) -> None:
        usual = composed()
        records = pair(usual, usual, "model=mine", "model=yours")
        assert [each.name.split()[-1] for each in records] == ["model=mine", "model=yours"]


class TestNames:
    def test_say_only_what_differs(self) -> None:
        planned = [PlannedPoint.of(("device.threads=1", f"batch.size={n}")) for n in (1, 8)]
        config = composed("batch.size=8")
        found = measured(config, planned[1].overrides, swept(planned))
        assert found.name == "whisper_tiny_en transformers cpu b8"

    @pytest.mark.parametrize(
        ("values", "shown"),
        [
            (("/data/a/clean", "/data/b/clean"), ("a/clean", "b/clean")),
            (("/data/a", "/data/b"), ("a", "b")),
            (("'a b'", '"a=c"'), ("a b", "a=c")),
            (("x", "/data/x"), ("x", "data/x")),
            (("me/tuned", "null"), ("tuned", "null")),
        ],
    )
    def test_of_paths_have_as_much_as_tells_them_apart(
        self, values: tuple[str, str], shown: tuple[str, str]
    ) -> None:
        usual = composed()
        records = pair(usual, usual, *(f"dataset.path={value}" for value in values))
        assert [each.config["hydra"]["swept"] for each in records] == [
            {"dataset.path": each} for each in shown
        ]

    def test_of_long_values_are_short_and_differ(self) -> None:
        usual = composed()
        records = pair(usual, usual, *(f"model.hub_id={'x' * 300}{n}" for n in (1, 2)))
        assert len({each.name for each in records}) == 2
        assert all(len(each.name) < 120 for each in records)

    def test_of_values_that_a_sweeper_makes_up(self) -> None:
        varied = made_up(["decoding.beam=interval(1,5)", "batch.size=1,8", "device.threads=2"])
        assert varied == {"decoding.beam": ()}
        config = {**composed("decoding.beam=3"), "hydra": {}}
        assert told(config, ("decoding.beam=3", "batch.size=8"), varied) == {"decoding.beam": "3"}

    def test_points_of_a_search_say_their_stage(self) -> None:
        config = {**composed(), "optimiser": {"stage": "final"}}
        assert measured(config, (), {}).name == "whisper_tiny_en transformers cpu b1 final"


def test_decodings_are_in_names_rows_and_the_report() -> None:
    """Swept, or chosen for the whole sweep."""
    plain, again = composed("decoding=greedy"), composed("decoding=fallback")
    records = pair(plain, again, "decoding=greedy", "decoding=fallback")
    assert [each.name.split()[-1] for each in records] == ["decoding=greedy", "decoding=fallback"]
    assert len(set(rows(records))) == 2
    found = named(map(to_point, records))
    assert [point.decoding for point in found] == ["greedy", "fallback"]
    assert found[1].system.endswith("decoding=fallback")
    alone = measured(again, ("decoding=fallback",), {})
    assert alone.name.endswith("decoding=fallback")
    assert named([to_point(alone)])[0].system.endswith("decoding=fallback")
