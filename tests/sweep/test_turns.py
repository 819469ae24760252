"""Two sides in turn: in which order they are measured, what is missing, and what becomes of it."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from support.studies import TINY, record

from asr_scaling.analysis.comparison.verdict import compare
from asr_scaling.core.record import RECORD_FILE, RunRecord, Status
from asr_scaling.core.spread import spread_of
from asr_scaling.errors import ConfigError
from asr_scaling.sweep.sides import Side
from asr_scaling.sweep.turns import Turns, check_overrides, start


@dataclass
class Processes:
    """Made-up processes: each leaves a record, and those named end otherwise.

    ends: folder → how its process ends: a status, or None without a record.
    slower: side → factor on the time of its calls.
    """

    ends: Mapping[str, Status | None] = field(default_factory=dict)
    slower: Mapping[str, float] = field(default_factory=dict)
    commit: str | None = None
    commands: list[list[str]] = field(default_factory=list)

    @property
    def order(self) -> list[str]:
        """The folders in which they measured."""
        return [_folder(command) for command in self.commands]

    def __call__(self, command: Sequence[str], variables: Mapping[str, str], said: Path) -> int:
        assert variables["PYTHONSAFEPATH"] == "1"
        self.commands.append([*command])
        name = _folder(command)
        place = said.with_suffix("")
        assert not place.exists()
        end = self.ends.get(name, "ok")
        if end is None:
            said.write_text("Traceback\nerror: There is no model 'x'.\n\n")
            return 1
        place.mkdir(parents=True)
        said.write_text("")
        law = replace(TINY, window_cost_s=TINY.window_cost_s * self.slower.get(name[-1], 1.0))
        dice = random.Random(name)
        made = record(law, 15.0, 1, calls=16, noise=0.02, dice=dice)
        environment = {**made.environment, "commit": self.commit}
        environment.pop("spread", None)  # as where no self-test was made
        reason = None if end == "ok" else "the machine is small"
        replace(made, status=end, reason=reason, environment=environment).write(place)
        return 0


def _folder(command: Sequence[str]) -> str:
    """ "0/a" of a command line."""
    (place,) = [text for text in command if text.startswith("hydra.run.dir=")]
    return "/".join(place.rstrip("'").split("/")[-2:])


def side(path: Path) -> Side:
    path.write_text("defaults: [config, _self_]\n")
    return Side.of(str(path))


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Turns:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))  # no earlier records
    (tmp_path / "kept").mkdir()
    sides = (side(tmp_path / "A.yaml"), side(tmp_path / "B.yaml"))
    return Turns(tmp_path / "kept", sides, ["batch=8"], start=Processes())


def made(turns: Turns) -> Processes:
    assert isinstance(turns.start, Processes)
    return turns.start


def test_the_sides_take_turns_in_alternating_order(turns: Turns) -> None:
    assert turns.measure(3) == []
    assert made(turns).order == ["0/a", "0/b", "1/b", "1/a", "2/a", "2/b"]
    assert turns.rounds(0) == turns.rounds(1) == 3


def test_a_command_has_only_what_any_revision_takes(turns: Turns) -> None:
    turns.measure(1)
    first, *_ = made(turns).commands
    assert first[:3] == [sys.executable, "-m", "asr_scaling"]
    assert first[3:7:2] == ["--config-dir", "--config-name"]
    assert first[7:9] == ["batch=8", "+sweep.round=0"]
    assert all(text.startswith(("++sweep.", "~")) for text in first[9:-1])


def test_tracking_that_is_asked_for_stays(turns: Turns) -> None:
    replace(turns, overrides=["tracking=jsonl"]).measure(1)
    assert all("~tracking" not in command for command in made(turns).commands)


def test_what_is_missing_is_measured_later(turns: Turns) -> None:
    turns.measure(2)
    kept = turns.folder / "rounds/1/a" / RECORD_FILE
    before = RunRecord.read(kept)
    again = replace(turns, start=Processes())
    assert again.measure(3) == []
    assert made(again).order == ["2/a", "2/b"]
    assert RunRecord.read(kept).samples == before.samples
    assert len(RunRecord.read(turns.folder / "a" / RECORD_FILE).samples) == 3 * 16
    assert again.measure(2) == []  # three are more than were asked for, and all count
    assert again.rounds(0) == 3


def test_a_record_a_side_has_all_calls_and_what_is_known_of_the_machine(turns: Turns) -> None:
    replace(turns, certificate=CERTIFICATE).measure(3)
    for letter in "ab":
        merged = RunRecord.read(turns.folder / letter / RECORD_FILE)
        assert len(merged.samples) == 3 * 16
        assert {sample.process for sample in merged.samples} == {0, 1, 2}
        assert merged.environment["certificate"] == CERTIFICATE
        assert spread_of(merged.environment).processes == 0.01
        assert merged.round is None
        assert "RoundsMissing" not in {caution.kind for caution in merged.cautions}


def test_without_a_self_test_nothing_is_known(turns: Turns) -> None:
    turns.measure(2)
    assert "spread" not in RunRecord.read(turns.folder / "a" / RECORD_FILE).environment


@pytest.mark.parametrize(
    ("slower", "verdict"), [(1.0, "no difference beyond ± "), (1.17, "slower")]
)
def test_a_side_slowed_by_a_tenth_is_called_slower_and_an_identical_one_is_not(
    turns: Turns, slower: float, verdict: str
) -> None:
    processes = Processes(slower={"b": slower})  # the window is 0.6 of a call
    assert replace(turns, certificate=CERTIFICATE, start=processes).measure(3) == []
    a, b = (RunRecord.read(turns.folder / letter / RECORD_FILE) for letter in "ab")
    assert compare(a, b).row("latency/p50_s").verdict.startswith(verdict)


CERTIFICATE = {
    "status": "pass",
    "at": "2026-11-29T10:00:00+00:00",
    "noise_floor": 0.01,
    "between_processes": {"sd": 0.01, "freedom": 20.0},
}


def test_failures_of_one_round_end_it_and_each_has_a_sentence(turns: Turns) -> None:
    broken = replace(turns, start=Processes({"1/b": "out_of_memory", "1/a": None}))
    failed = broken.measure(3)
    assert made(broken).order == ["0/a", "0/b", "1/b", "1/a"]
    assert "B.yaml: process 2 ended: out of memory: the machine is small" in failed[0]
    assert "A.yaml: process 2 left no record, status 1 (There is no model 'x')" in failed[1]
    assert not (turns.folder / "a" / RECORD_FILE).exists()
    assert turns.measure(3) == []  # goes on, with what failed first
    assert made(turns).order == ["1/b", "1/a", "2/a", "2/b"]


def test_other_code_than_the_revisions_is_found_out(turns: Turns, tmp_path: Path) -> None:
    a = replace(turns.sides[0], commit="a" * 40, checkout=None)  # nothing is laid out
    for ran, failures in (("b" * 40, 1), ("a" * 40, 0), (None, 0)):
        processes = Processes(commit=ran)
        one = replace(turns, folder=tmp_path / str(ran), sides=(a, turns.sides[1]), start=processes)
        assert len(one.measure(1)) == failures


def test_a_configuration_that_is_changed_meanwhile_is_found_out(turns: Turns) -> None:
    class Editing(Processes):
        def __call__(self, command: Sequence[str], variables: Mapping[str, str], said: Path) -> int:
            Path(turns.sides[0].name).write_text("defaults: [config, _self_]\nseed: 3\n")
            return super().__call__(command, variables, said)

    (failed,) = replace(turns, start=Editing()).measure(1)
    assert "A.yaml was changed while it was measured" in failed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model=whisper_tiny,wav2vec2", "several values, and --run measures one point a side"),
        ("batch=1,8", "several values"),
        ("hydra.run.dir=here", "which --run decides"),
        ("hydra/launcher=slurm", "which --run decides"),
        ("+sweep.round=1", "which --run decides"),
        ("experiment=engines", "which --run decides"),
        ("nonsense", "is no option: write key=value"),
    ],
)
def test_an_option_that_is_not_of_one_point_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_overrides(["model=wav2vec2", text])


def test_options_of_one_point_are_taken() -> None:
    given = ["optimisation=[int8,dynamic_window]", "~optimisation", "+model.x=1", "batch=max"]
    check_overrides(given)
    assert given


def test_a_process_of_its_own_and_what_it_says(tmp_path: Path) -> None:
    said = tmp_path / "said.log"
    code = "import os, sys; print(os.environ['ONE'], file=sys.stderr); sys.exit(3)"
    assert start([sys.executable, "-c", code], {"ONE": "two"}, said) == 3
    assert said.read_text() == "two\n"
