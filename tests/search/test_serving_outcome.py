"""What a search for the way to serve leaves in its folder, and what is said of it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from support.queues import Server, searched

from asr_scaling.core.ports import ANSWER_FILE
from asr_scaling.errors import DataError
from asr_scaling.report.capacity.searched import how_searched
from asr_scaling.search.serving.outcome import (
    OUTCOME_FILE,
    Left,
    Outcome,
    Seen,
    Trial,
    searched_ways,
)
from asr_scaling.search.serving.ways import Way
from asr_scaling.sweep.answer import conclude

ALONE, SHARED = Way("openvino"), Way("openvino", 2, 8)
FOUND = Outcome(
    minutes=10.0,
    spent_s=570.0,
    ceilings=(Trial(ALONE, Seen(5.0, wer=0.05)), Trial(SHARED, Seen(12.0, wer=0.05))),
    highest=(Trial(SHARED, Seen(9.7, 9.2, 0.05)),),
    left=(Left(ALONE, "it serves 5.00 a second where clients always wait"),),
)


def test_the_file_is_what_was_written(tmp_path: Path) -> None:
    FOUND.write(tmp_path)
    assert searched_ways([str(tmp_path)]) == FOUND


def test_without_a_file_there_was_no_search(tmp_path: Path) -> None:
    assert searched_ways([str(tmp_path)]) is None
    FOUND.write(tmp_path)
    assert searched_ways([str(tmp_path), str(tmp_path)]) is None
    assert searched_ways(["mlflow:study"]) is None


@pytest.mark.parametrize(("key", "value"), [("left", "x"), ("ceilings", [{}]), ("minutes", None)])
def test_a_changed_file_is_refused(tmp_path: Path, key: str, value: object) -> None:
    FOUND.write(tmp_path)
    path = tmp_path / OUTCOME_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(DataError, match="search anew"):
        searched_ways([str(tmp_path)])


class TestWords:
    def test_say_what_was_tried_and_what_was_not(self) -> None:
        first, second = how_searched(FOUND)
        assert first == (
            "2 ways to serve were tried with clients that always wait, and of 1 the highest rate "
            "was searched, in 9.5 of 10 minutes."
        )
        assert second == (
            "Not searched: openvino, one worker, single calls; "
            "it serves 5.00 a second where clients always wait."
        )

    def test_of_a_search_that_found_no_rate(self) -> None:
        nothing = replace(FOUND, left=(Left(SHARED, "nothing held."),))
        assert how_searched(nothing)[1] == (
            "No rate was found: openvino, 2 workers, up to 8 requests a call; nothing held."
        )

    def test_of_many_ways_are_few(self) -> None:
        many = replace(FOUND, left=tuple(Left(Way("x", n), "no time") for n in range(1, 30)))
        assert len(how_searched(many)) == 10
        assert how_searched(many)[-1] == "21 more are in serving.json."

    @pytest.mark.parametrize(
        ("way", "label"),
        [
            (Way("x", 1, 8), "x, one worker, up to 8 requests a call"),
            (Way("x", 2, 4, 0.2), "x, 2 workers, up to 4 requests a call, waiting 0.2 s"),
        ],
    )
    def test_of_a_way(self, way: Way, label: str) -> None:
        assert way.label == label


def test_the_answer_of_the_sweep_is_what_holds_most(tmp_path: Path) -> None:
    replicas = {"serving": "replicas", "options": {"workers": 2, "max_batch": 8}}
    slow, fast = searched(Server(5.0)), searched(Server(12.0), **replicas)
    for name, record in {"slow": slow, "fast": fast}.items():
        record.write(tmp_path / name)
    FOUND.write(tmp_path)
    lines, well = conclude(tmp_path, report=True)
    assert well, lines
    assert lines[0].startswith("2 ways to serve were tried")
    (most,) = [line for line in lines if line.startswith("Most requests that arrive: ")]
    assert "serving=replicas" in most
    assert not [line for line in lines if line.startswith("For ")]
    kept = json.loads((tmp_path / ANSWER_FILE).read_text())
    assert "serving=replicas" in kept["answer/system"]
    written = (tmp_path / "recommended.yaml").read_text()
    assert "override serving: replicas" in written
    assert "max_batch: 8" in written
    (serve,) = [line for line in lines if line.startswith("Serve it:  ")]
    assert serve.endswith(f"-m asr_scaling serve {tmp_path / 'recommended.yaml'}")
    (outside,) = [line for line in lines if line.startswith("Measure it from outside:  ")]
    assert shlex.split(outside)[-4:] == [
        "scenario=capacity",
        "scenario.bound='p99<2s'",
        "serving=endpoint",
        "serving.url=http://127.0.0.1:8000",
    ]
    assert "engine=" not in outside
    page = (tmp_path / "report" / "report.md").read_text()
    assert "Not searched: openvino, one worker, single calls" in page
