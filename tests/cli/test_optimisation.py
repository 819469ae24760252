"""``optimisation=[…]`` on the command line: composed, recorded, named, refused."""

from __future__ import annotations

from pathlib import Path

from support.command import QUICK, Cli, records


def test_what_is_applied_is_recorded_and_named(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "-m", *QUICK, "model=whisper_tiny_en", "batch=2", "optimisation=[],[bucketing,one_thread]"
    )
    assert done.returncode == 0, done.stderr
    plain, changed = sorted(records(tmp_path), key=lambda record: len(record.optimisations))
    assert (plain.optimisations, changed.optimisations) == ((), ("bucketing", "one_thread"))
    assert changed.name == f"{plain.name} bucketing + one_thread"
    assert (
        plain.environment["device"]["threads"] >= 1,
        changed.environment["device"]["threads"],
    ) == (True, 1)
    assert plain.identity != changed.identity
    first = [len(record.samples[0].utterances) for record in (plain, changed)]
    assert first == [2, 2]


def test_what_makes_no_sense_is_one_sentence_and_the_other_points_are_measured(
    cli: Cli, tmp_path: Path
) -> None:
    done = cli("-m", *QUICK, "model=whisper_tiny_en", "batch=1,2", "optimisation=[bucketing]")
    assert done.returncode == 1
    found = {record.config["batch"]["size"]: record for record in records(tmp_path)}
    assert found[2].status == "ok"
    assert (
        found[1].reason
        == "optimisation=bucketing sorts batches, and batch=1 has nothing to sort: raise batch."
    )


def test_an_engine_without_the_option(cli: Cli, tmp_path: Path) -> None:
    done = cli(*QUICK, "model=whisper_tiny_en", "optimisation=[dynamic_window]")
    assert done.returncode == 1
    (found,) = records(tmp_path)
    assert found.reason == (
        "optimisation=dynamic_window sets engine.window_margin_s, which engine=fake does not have."
    )


def test_a_name_that_is_none(cli: Cli) -> None:
    done = cli(*QUICK, "optimisation=[dynamic_windows]")
    assert done.returncode == 1
    assert (
        "There is no optimisation 'dynamic_windows', did you mean 'dynamic_window'; choose"
        in done.stderr
    )
