"""``compare --run``: both sides are measured in turn, then compared; few real processes."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import Cli
from support.offline import FAST
from support.repositories import git, needs_git
from support.studies import TINY, record
from support.warm import Started, run_warm

from asr_scaling.cli import compare, compare_run
from asr_scaling.core.record import RECORD_FILE, RunRecord

ROOT = Path(__file__).resolve().parents[2]
QUICK = tuple(option for option in FAST if not option.startswith("engine"))
CONFIGURATION = "defaults: [config, override engine: fake, _self_]\nengine: {{fixed_s: {}}}\n"
needs_checkout = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="these are not the files of a git checkout"
)


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    """Configurations of which B takes twice A's time."""
    for name, fixed_s in (("A", 0.02), ("B", 0.04)):
        (tmp_path / f"{name}.yaml").write_text(CONFIGURATION.format(fixed_s))
    return "A.yaml", "B.yaml"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this checkout, whose working tree has a slower engine than its commit."""
    folder = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", "--shared", str(ROOT), str(folder))
    fake = folder / "conf" / "engine" / "fake.yaml"
    fake.write_text(fake.read_text().replace("fixed_s: 0.002", "fixed_s: 0.030"))
    return folder


def turns(said: str) -> list[str]:
    """ "1/2] A" of each line that says which side is measured."""
    return re.findall(r"^\[(\d/\d\] [AB])", said, re.MULTILINE)


def test_configurations_are_measured_compared_and_gated(
    cli: Cli, two: tuple[str, str], tmp_path: Path
) -> None:
    given = ("compare", "--run", *two, *QUICK)
    first = cli(*given, "--processes", "1")
    assert first.returncode == 0, first.stderr
    assert "A is configuration A.yaml, measured in 1 fresh process." in first.stdout
    assert turns(first.stderr) == ["1/2] A", "2/2] B"]
    gate = ("--fail-if", "latency/p50_s>5%")
    more = cli(*given, "--processes", "3", "--resume", "--json", *gate)
    assert more.returncode == 1, more.stderr
    plain = json.loads(more.stdout)
    assert [row["failed"] for row in plain["gates"]] == [True]
    rows = {row["metric"]: row for row in plain["comparisons"][0]["rows"]}
    assert rows["latency/p50_s"]["verdict"].startswith("slower")
    assert turns(more.stderr) == ["1/4] B", "2/4] A", "3/4] A", "4/4] B"]
    folder = tmp_path / plain["measured"]["folder"]
    assert len([*folder.glob(f"rounds/*/[ab]/{RECORD_FILE}")]) == 6
    again = cli("compare", str(folder / "a"), str(folder / "b"), "--json", *gate)
    assert json.loads(again.stdout)["comparisons"] == plain["comparisons"]


def test_what_can_not_be_told_says_what_to_type_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for side, cost_s in (("a", 0.3), ("b", 0.4)):
        made = record(replace(TINY, window_cost_s=cost_s), None, 1, calls=12)
        unknown = {**made.environment, "spread": None}  # assumed: processes differ by 9 %
        replace(made, environment=unknown).write(tmp_path / side)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    done = compare_run.Measured(tmp_path, a, b)
    monkeypatch.setattr(compare_run, "measured", lambda _: done)
    gate = ("--fail-if", "latency/p50_s>5%")
    assert compare.main(["--run", "A.yaml", "B.yaml", *gate]) == 2
    typed = re.search(r"would decide: (--resume --processes \d+)\.", capsys.readouterr().err)
    assert typed
    taken = compare.parser().parse_args(["--run", "A.yaml", "B.yaml", *typed[1].split()])
    assert taken.resume
    assert taken.processes > 1
    assert compare.main([a, b, *gate]) == 2  # records that are there: of sweeps, most of the time
    assert re.search(r"would decide: sweep\.processes=\d+\.", capsys.readouterr().err)


@needs_git
@needs_checkout
def test_revisions_run_their_own_code(checkout: Path, command_env: dict[str, str]) -> None:
    given = ("compare", "--run", "HEAD", ".", "engine=fake", *QUICK)
    done = run_warm(checkout, "asr_scaling", [*given, "--processes", "1", "--json"], command_env)
    assert done.returncode == 0, done.stderr
    folder = checkout / json.loads(done.stdout)["measured"]["folder"]
    head = git(checkout, "rev-parse", "HEAD")
    a, b = (RunRecord.read(folder / letter / RECORD_FILE) for letter in "ab")
    assert (a.environment["commit"], b.environment["commit"]) == (head, f"{head}-dirty")
    assert b.values["latency/mean_s"] > 3 * a.values["latency/mean_s"]
    assert len(git(checkout, "worktree", "list").splitlines()) == 1


@needs_git
@needs_checkout
def test_an_interruption_leaves_what_was_measured_and_no_worktree(
    checkout: Path, command_env: dict[str, str]
) -> None:
    given = ("compare", "--run", "HEAD", "HEAD", "engine=fake", *QUICK)
    running = Started(checkout, "asr_scaling", given, command_env)
    running.said("[2/6]")
    running.send_signal(signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130, said
    assert "error: Interrupted: what was measured is in multirun/" in said
    assert "Traceback" not in said
    assert len(git(checkout, "worktree", "list").splitlines()) == 1
    done = run_warm(checkout, "asr_scaling", [*given, "--processes", "1", "--resume"], command_env)
    assert done.returncode == 0, done.stderr
    assert turns(done.stderr) == ["1/1] B"]


def test_a_run_that_fails_is_one_sentence(cli: Cli, two: tuple[str, str]) -> None:
    done = cli("compare", "--run", *two, *QUICK, "engine.fail_on=whisper_tiny_en")
    assert done.returncode == 2
    failed = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(failed) == 2, done.stderr  # the round of both; the others are not begun
    assert failed[0].startswith("error: A, configuration A.yaml: process 1 ended: failed: ")
    typed = cli("compare", "--run", *two, *QUICK, "modle=whisper_base")
    assert "left no record, status 1 (" in typed.stderr
    assert "modle" in typed.stderr
    assert done.stdout == typed.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--run", "A.yaml", "C.yaml"), "'C.yaml' is no"),
        (("--run", "A.yaml", "B.yaml", "batch=1,8"), "several values"),
        (("--run", "A.yaml", "B.yaml", "--processes", "0"), "must be a whole number of 1 or more"),
        (("--run", "A.yaml", "B.yaml", "--fail-if", "speed>1"), "names no metric"),
        (("--run", "A.yaml", "B.yaml", "model.password=x"), "holds a password or a token"),
        (("A.yaml", "B.yaml", "--processes", "3"), "add --run and name two configurations"),
        (("A.yaml", "B.yaml", "--resume"), "add --run and name two configurations"),
        (("A.yaml", "B.yaml", "batch=8"), "unrecognized arguments: batch=8"),
    ],
)
def test_bad_input_is_one_sentence(
    cli: Cli, two: tuple[str, str], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert two
    done = cli("compare", *arguments, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "multirun").exists()
