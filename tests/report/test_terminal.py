"""The table in the terminal: what it shows, what it hides, and that names are shown as they are."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support.queues import Server, asked, searched, served

from asr_scaling.core.cautions import Caution
from asr_scaling.core.memory_parts import MEMORY_PARTS
from asr_scaling.core.metric import Metric
from asr_scaling.core.record import RunRecord
from asr_scaling.core.statistics import Interval
from asr_scaling.errors import DataError
from asr_scaling.records.read import Damaged, each_record, readable_records
from asr_scaling.report.terminal import notes, points_table
from asr_scaling.sweep.progress import Display

METRICS = {"throughput/rtfx": 12.34, "latency/p50_s": 0.5, "memory/weights_bytes": 151e6}


def record(
    model: str = "tiny",
    batch: int = 1,
    metrics: Mapping[str, float] = METRICS,
    length: Any = None,
    **changes: Any,
) -> RunRecord:
    config = {"model": {"name": model}, "batch": {"size": batch}, "dataset": {"length_s": length}}
    plain = RunRecord(
        f"{model} b{batch}",
        "ok",
        config,
        {},
        system={"device": "cpu", "facts": {"weights": "random"}},
        dataset={"name": "demo"},
        metrics=tuple(Metric(name, value) for name, value in metrics.items()),
    )
    return replace(plain, **changes)


def shown(*records: RunRecord) -> tuple[str, list[str]]:
    """What is the same everywhere, and the lines of the table."""
    common, table = points_table(records)
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(table)
    return common, console.file.getvalue().splitlines()


class TestTable:
    def test_figures_in_their_units(self):
        _, lines = shown(record())
        assert lines[-1].split() == ["tiny", "12.3", "500", "151"]

    @pytest.mark.parametrize(
        ("name", "value", "low", "high", "cell"),
        [
            ("throughput/rtfx", 7.12, 6.95, 7.3, "7.1±0.2"),
            ("throughput/rtfx", 5.5, 5.4001, 5.55, "5.5±0.1"),
            ("throughput/rtfx", 7.12, 7.08, 7.14, "7.12±0.04"),
            ("throughput/rtfx", 7.12, 7.1198, 7.1201, "7.1200±0.0002"),
            ("throughput/rtfx", 7.12, 7.11999, 7.12, "7.1±0.0"),
            ("throughput/rtfx", 996.08, 897.2, 1095.0, "996±99"),
            ("throughput/rtfx", 7.12, 7.12, 7.12, "7.1±0.0"),
            ("latency/p50_s", 0.534, 0.52, 0.552, "534±18"),
            ("latency/p50_s", 0.0021, 0.0018, 0.0022, "2.1±0.3"),
            ("quality/wer", 0.0489, 0.031, 0.06, "4.9±1.8"),
            ("energy/per_sample_j", 14.6, 14.2, 15.0, "14.6±0.4"),
        ],
    )
    def test_the_larger_half_of_the_interval_stands_with_the_figure(
        self, name: str, value: float, low: float, high: float, cell: str
    ):
        found = replace(record(), metrics=(Metric(name, value, 9, Interval(low, high)),))
        assert shown(found)[1][-1].split() == ["tiny", cell]

    def test_what_is_the_same_stands_above_and_what_varies_in_a_column(self):
        common, lines = shown(record(batch=1), record(batch=8))
        assert "random weights" in common
        assert "cpu" in common
        assert "natural length" in common
        assert ["model", "batch"] in [line.split()[:2] for line in lines]
        assert [line.split()[:2] for line in lines[-2:]] == [["tiny", "1"], ["tiny", "8"]]
        assert "per batch" not in common

    def test_the_model_always_has_its_column(self):
        common, lines = shown(record())
        assert "tiny" not in common
        assert any("tiny" in line for line in lines)

    def test_a_column_that_no_point_has_is_left_out(self):
        _, lines = shown(record(), record("base"))
        text = "\n".join(lines)
        assert "WER" not in text
        assert "J/utt" not in text
        assert "–" not in text

    def test_a_figure_that_one_point_lacks_is_a_dash(self):
        _, lines = shown(record(), record("base", metrics={**METRICS, "quality/wer": 0.1234}))
        text = "\n".join(lines)
        assert "WER" in text
        assert "12.3" in text
        assert next(line for line in lines if "tiny" in line).count("–") == 1

    def test_zero_is_a_figure(self):
        _, lines = shown(record(metrics={"quality/wer": 0.0}))
        assert any("0.0" in line.split() for line in lines)

    def test_failures_are_rows(self):
        _, lines = shown(
            record(), record("base", status="out_of_memory", reason="too big", metrics={})
        )
        assert any("base" in line and "out of memory" in line for line in lines)

    def test_fragments_of_one_length(self):
        common, _ = shown(record(length=30.0))
        assert "30 s length" in common

    def test_the_energys_method_is_a_column(self):
        methods = ("estimated", "measured", "unavailable")
        points = [
            record(
                metrics={"energy/per_sample_j": 3.0} if method != "unavailable" else {},
                tags={"energy/method": method},
            )
            for method in methods
        ]
        common, lines = shown(*points, record())
        assert any({"J/utt.", "energy"} <= set(line.split()) for line in lines)
        assert [line.split()[-1] for line in lines[-4:]] == [*methods, "–"]
        assert "estimated" not in common
        assert "J/utt. energy" in " ".join(" ".join(shown(points[0])[1]).split())

    def test_the_status_is_a_column_only_where_a_point_failed(self):
        assert "ok" not in " ".join(shown(record(), record("base"))[1])
        _, lines = shown(record(), record("base", status="failed", reason="no", metrics={}))
        assert [line.split()[-1] for line in lines[-2:]] == ["ok", "failed"]

    def test_synthetic_speech_stands_with_the_wer(self):
        found = record(metrics={"quality/wer": 0.1}, dataset={"name": "demo", "synthetic": True})
        assert "synthetic" in "\n".join(shown(found)[1])
        assert "copies" not in "\n".join(shown(found)[1])

    def test_copies_stand_with_the_wer(self):
        found = record(metrics={"quality/wer": 0.1}, dataset={"name": "demo", "copies": 65})
        assert "copies" in "\n".join(shown(found)[1])

    def test_cer_and_invented_words_stand_where_there_are_any(self):
        rates = {"quality/wer": 0.5, "quality/cer": 0.071}
        _, lines = shown(record(metrics=rates, tags={"quality/headline": "cer"}))
        assert lines[-1].split()[-2:] == ["CER", "7.1"]
        assert "invented" not in "\n".join(lines)
        _, lines = shown(record(metrics={"quality/invented_words_per_hour": 412.3}))
        assert lines[-1].split()[-1] == "412"
        assert "invented" in "\n".join(lines)

    def test_a_point_that_was_never_built(self):
        _, lines = shown(RunRecord("point", "failed", {}, {}, reason="no"), record())
        assert any("point" in line and "failed" in line for line in lines)

    @pytest.mark.parametrize("name", ["x[1]", "back\\slash", "100 %"])
    def test_names_are_shown_as_they_are(self, name: str):
        assert any(name in line for line in shown(record(name))[1])

    @pytest.mark.parametrize("name", ["a[bold]b", "[red]", "a[/red]"])
    def test_names_that_look_like_markup_are_shown_as_they_are(self, name: str):
        assert any(name in line for line in shown(record(name))[1])


DEMO = {
    "throughput/rtfx": (10.3, 0.3),
    "latency/p50_s": (12.242, 0.31),
    "latency/first_token_s": (6.127, 0.18),
    "latency/per_token_s": (0.0418, 0.0012),
    "quality/wer": (0.049, 0.018),
    "memory/peak_rss_bytes": (2035e6, None),
    "memory/weights_bytes": (378e6, None),
    "energy/per_sample_j": (14.6, 0.4),
    "flops/utterance": (90.4e9, None),
}


def demo() -> list[RunRecord]:
    """The demo's six points with figures as wide as they get."""
    metrics = tuple(
        Metric(name, value, 9, None if half is None else Interval(value - half, value + half))
        for name, (value, half) in DEMO.items()
    )
    changes = {
        "tags": {"energy/method": "estimated"},
        "dataset": {"name": "demo", "synthetic": True},
    }
    points = []
    for model, weights in (("whisper_tiny_en", "pretrained"), ("wav2vec2", "random")):
        system = {"device": "cpu", "facts": {"weights": weights}}
        points += [
            replace(record(model, size, system=system, **changes), metrics=metrics)
            for size in (1, 8, 16)
        ]
    return points


MODELS = ("whisper_tiny_en ", "wav2vec2 ")


def at_usual(records: list[RunRecord]) -> list[RunRecord]:
    """The same with figures at the machine's usual state, and the parts of the memory."""
    parts = [Metric(f"memory/{part}_rss_bytes", 678e6) for part in MEMORY_PARTS]
    made = []
    for one in records:
        usual = [
            replace(metric, name=f"usual/{metric.name}")
            for metric in one.metrics
            if metric.name in ("throughput/rtfx", "latency/p50_s")
        ]
        made.append(replace(one, metrics=(*one.metrics, *usual, *parts)))
    return made


class TestWidth:
    def fitted(self, width: int, records: list[RunRecord]) -> list[str]:
        console = Console(file=io.StringIO(), width=width, color_system=None)
        console.print(points_table(records, width)[1])
        return console.file.getvalue().splitlines()

    def rendered(self, width: int) -> list[str]:
        console = Console(file=io.StringIO(), width=width, color_system=None)
        console.print(points_table(demo())[1])
        return console.file.getvalue().splitlines()

    def test_the_demo_fits_120_columns_a_line_a_point(self):
        lines = self.rendered(120)
        assert max(map(len, lines)) <= 120
        cells = [
            "12242±310",
            "6127±180",
            "41.8±1.2",
            "4.9±1.8",
            "2035",
            "378",
            "14.6±0.4",
            "estimated",
            "90.4",
        ]
        assert [line.split()[:4] for line in lines[-6:]] == [
            [model, weights, str(size), "10.3±0.3"]
            for model, weights in (("whisper_tiny_en", "pretrained"), ("wav2vec2", "random"))
            for size in (1, 8, 16)
        ]
        assert all(line.split()[4:] == cells for line in lines[-6:])

    def test_where_it_is_narrow_words_are_folded_and_figures_are_whole(self):
        lines = self.rendered(100)
        assert max(map(len, lines)) <= 100
        assert sum("12242±310" in line and "14.6±0.4" in line for line in lines) == 6
        assert "…" not in "".join(lines)

    def test_with_the_usual_state_100_columns_have_a_line_a_point_and_say_what_is_left_out(self):
        lines = self.fitted(100, at_usual(demo()))
        assert max(map(len, lines)) <= 100
        assert [line.split() for line in lines if line.startswith(MODELS)] == [
            [model, weights, str(size), *2 * ["10.3±0.3"], *2 * ["12242±310"], "6127±180",
             "4.9±1.8", "2035", "90.4"]
            for model, weights in (("whisper_tiny_en", "pretrained"), ("wav2vec2", "random"))
            for size in (1, 8, 16)
        ]  # fmt: skip
        said = "No room for ms/tok, libraries+weights+calls MB, weights MB, J/utt., energy:"
        assert lines[-2].startswith(said)

    @pytest.mark.parametrize("width", range(90, 181, 10))
    def test_as_much_as_there_is_room_for_and_joules_with_their_method_only(self, width: int):
        lines = self.fitted(width, at_usual(demo()))
        text = " ".join(lines)
        assert max(map(len, lines)) <= width
        assert sum(line.startswith(MODELS) for line in lines) == 6
        assert ("14.6±0.4" in text) == ("estimated" in text) == (width >= 110)
        assert ("No room" in text) == (width < 150)

    def test_what_has_room_is_all_there(self):
        assert self.fitted(120, demo()) == self.rendered(120)


class TestNotes:
    def test_each_kind_once_with_the_number_of_points(self):
        noisy = Caution("Noisy", "It is noisy.", "Close your browser.")
        lines = notes(
            [record(cautions=(noisy,)), record("base", cautions=(noisy, noisy)), record("small")]
        )
        assert len(lines) == 1
        assert "Noisy" in lines[0]
        assert "2" in lines[0]
        assert "It is noisy. Close your browser." in lines[0]

    def test_kinds_stay_apart(self):
        cautions = tuple(Caution(kind, "message.", "advice.") for kind in ("A", "B"))
        assert [line[0] for line in notes([record(cautions=cautions)])] == ["A", "B"]

    def test_failures_come_first_with_their_reason(self):
        failed = record("base", status="failed", reason="The [/red] file is gone.")
        lines = notes([record(cautions=(Caution("A", "m.", "a."),)), failed])
        assert "The [/red] file is gone." in lines[0]
        assert lines[0].startswith("base b1: failed")

    def test_nothing_to_say(self):
        assert notes([record()]) == []


class TestDisplay:
    """The display is made in the test: pytest gives each phase of a test a standard
    error of its own."""

    def test_reasons_are_shown_as_they_are(self, capsys: pytest.CaptureFixture[str]):
        display = Display([1.0, 1.0])
        display.begin("a[/red] b1")
        display.stage("warm-up")
        display.advance(0.5)
        display.end(record(status="failed", reason="Bad [bold]option[/red] value."))
        display.close()
        err = capsys.readouterr().err
        assert "a[/red] b1 · warm-up" in err
        assert "Bad [bold]option[/red] value." in err

    def test_results_are_on_standard_output_with_notes_and_hints(
        self, capsys: pytest.CaptureFixture[str]
    ):
        display = Display([1.0, 1.0])
        failed = record("base", status="failed", reason="The [/red] file is gone.", metrics={})
        display.close()
        display.results([record(), failed], "2 of 2 points", ["Records: [/tmp]"])
        out = capsys.readouterr().out
        assert "2 of 2 points" in out
        assert "The [/red] file is gone." in out
        assert "Records: [/tmp]" in out
        assert "12.3" in out
        assert (
            "±: the larger half of the 95 % interval; –: not available, the record says why." in out
        )

    def test_one_line_says_how_sure_the_figures_are_between_processes(
        self, capsys: pytest.CaptureFixture[str]
    ):
        display = Display([1.0])
        display.close()
        known = Metric("throughput/rtfx", 12.34, 9, Interval(12.0, 13.0))
        display.results([record(tags={"interval/of": "3 processes"})], "1 point", [])
        assert "Intervals" not in capsys.readouterr().out, "there is no interval"
        three = replace(record(), metrics=(known,), tags={"interval/of": "3 processes"})
        display.results([three], "1 point", [])
        assert "Intervals are of 3 processes each.\n" in capsys.readouterr().out
        one = "this process; widened by this machine's spread between processes of 3.1 % (a test)"
        display.results([replace(three, tags={"interval/of": one})], "1 point", [])
        assert (
            "Intervals are of one process each, widened by this machine's spread between processes "
            "of 3.1 % (a test).\n"
        ) in capsys.readouterr().out

    def test_figures_at_the_usual_state_stand_beside_what_was_measured(
        self, capsys: pytest.CaptureFixture[str]
    ):
        display = Display([1.0])
        display.close()
        display.results([record()], "1 point", [])
        assert "usual" not in capsys.readouterr().out
        found = (
            Metric("throughput/rtfx", 12.3, 9, Interval(12.0, 12.6)),
            Metric("usual/throughput/rtfx", 15.4, 9, Interval(15.0, 15.8)),
            Metric("latency/p50_s", 0.5, 9, Interval(0.49, 0.51)),
            Metric("usual/latency/p50_s", 0.4, 9, Interval(0.39, 0.41)),
        )
        display.results([replace(record(), metrics=found)], "1 point", [])
        out = capsys.readouterr().out
        row = next(line for line in out.splitlines() if line.startswith("tiny"))
        assert row.split() == ["tiny", "12.3±0.3", "15.4±0.4", "500±10", "400±10"]
        assert (
            "usual: at this machine's usual state, which systems are ranked and compared by." in out
        )
        assert "RTFx 12.30 ± 0.30 as it was, 15.40 ± 0.40 at the machine's usual state" in out

    def test_no_records_at_all(self, capsys: pytest.CaptureFixture[str]):
        display = Display([1.0, 1.0])
        display.close()
        display.results([], "0 of 2 points", ["Records: here"])
        assert "Records: here" in capsys.readouterr().out


class TestReadableRecords:
    def test_in_the_order_of_the_points(self, tmp_path: Path):
        for name in ("10_c", "2_b", "0_a"):
            record(name).write(tmp_path / name)
        assert [found.config["model"]["name"] for found in readable_records(tmp_path, [])] == [
            "0_a",
            "2_b",
            "10_c",
        ]

    def test_what_cannot_be_read_is_left_out(self, tmp_path: Path):
        record().write(tmp_path / "0_a")
        (tmp_path / "1_b").mkdir()
        (tmp_path / "1_b" / "record.json").write_text("{")
        damaged: Damaged = []
        assert len(readable_records(tmp_path, damaged)) == 1
        assert "1_b" in str(*damaged)

    def test_an_empty_folder(self, tmp_path: Path):
        assert readable_records(tmp_path, []) == []


class TestEachRecord:
    """What comparisons and reports read:
    anything that holds records, and nothing is left out silently."""

    def read(self, path: Path) -> list[RunRecord]:
        return [one for one, _ in each_record(path)]

    def test_a_record_a_point_a_sweep_and_lines(self, tmp_path: Path):
        for name in ("10_c", "2_b"):
            record(name).write(tmp_path / name)
        lines = tmp_path / "records.jsonl"
        with lines.open("w") as file:
            for name in ("x", "y"):
                file.write(json.dumps({"sweep": "today", **record(name).to_json()}) + "\n")
        found = {
            path: [one.name for one in self.read(tmp_path / path)]
            for path in ("2_b/record.json", "10_c", "")
        }
        assert found == {
            "2_b/record.json": ["2_b b1"],
            "10_c": ["10_c b1"],
            "": ["2_b b1", "10_c b1"],
        }
        assert self.read(lines) == [record("x"), record("y")]
        lines.write_text(lines.read_text().splitlines()[0])
        assert self.read(lines) == [record("x")]

    @pytest.mark.parametrize("text", ["{", "[1]", "{}\n{", '{"schema": 0}'])
    def test_what_cannot_be_read_is_an_error_that_names_it(self, tmp_path: Path, text: str):
        record().write(tmp_path / "0_a")
        (tmp_path / "1_b").mkdir()
        (tmp_path / "1_b" / "record.json").write_text(text)
        with pytest.raises(DataError, match=r"1_b/record\.json"):
            self.read(tmp_path)

    def test_nothing_there(self, tmp_path: Path):
        for path in (tmp_path, tmp_path / "missing"):
            with pytest.raises(DataError, match=str(path)):
                self.read(path)


class TestLoads:
    def test_what_points_hold_and_what_one_load_showed(self):
        server = Server(5.0)
        late = served(
            [server.withheld(2.0)], {"_target_": "asr_scaling.scenario.requests.Requests"}
        )
        _, lines = shown(searched(server), asked(server, 1.0), late)
        head = " ".join(lines[:3])
        assert all(word in head for word in ("holds", "load", "p99 s"))
        assert "2.70±0.13" in lines[-3]
        assert lines[-2].split().count("1") >= 1
        assert "1.15±0.06" in lines[-2]
        assert "withheld" in lines[-1]

    def test_without_loads_there_is_no_such_column(self):
        _, lines = shown(record())
        assert not any("holds" in line or "load" in line for line in lines)
