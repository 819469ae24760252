"""The self-test's certificate goes with every sweep:
into its folder, its records, its parent run and its notes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.command import QUICK, Cli, records
from support.warm import run_warm

from asr_scaling.selftest.certificate import certificate, keep
from asr_scaling.selftest.checks import Check

SWEEP = (*QUICK, "sweep.selftest=true", "batch=1,2")


def certificates(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_bytes()) for path in folder.rglob("certificate.json")]


def test_a_kept_certificate_is_stored_with_the_sweep(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *SWEEP)
    assert done.returncode == 0, done.stderr
    assert "self-test" not in done.stderr
    assert "Self-test" not in done.stdout
    (found,) = certificates(tmp_path / "multirun")
    kept = [json.loads(path.read_bytes()) for path in (tmp_path / "cache" / "selftest").iterdir()]
    assert [found] == kept
    said = {"status": "pass", "at": found["at"], "host": found["of"]["host"], "noise_floor": 0.01}
    assert [record.environment["certificate"] for record in records(tmp_path / "multirun")] == [
        said,
        said,
    ]


def test_points_that_can_not_be_built_carry_it_too(cli: Cli, tmp_path: Path) -> None:
    assert cli(*SWEEP[:-1], "batch=0").returncode == 1
    assert records(tmp_path)[0].environment["certificate"]["status"] == "pass"


def test_what_did_not_pass_is_one_line_below_the_table(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path / "cache"))
    keep(
        certificate(
            [
                Check("energy", "warn", "no counter", "buy one"),
                Check("timer", "fail", "stands [still]"),
            ],
            1.0,
        )
    )
    done = cli(*SWEEP[:-1])
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert (
        "UTC: timer failed (stands [still]); energy warns (no counter). Advice, and a new one:"
        in said
    )
    assert records(tmp_path)[0].environment["certificate"]["status"] == "fail"


def test_one_that_can_not_be_made_stops_nothing_and_says_so(
    command_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    broken = "import sys\nif 'selftest' in sys.orig_argv: sys.exit('broken here')\n"
    (tmp_path / "site" / "sitecustomize.py").write_text(broken)
    broken_env = {"PYTHONPATH": f"{tmp_path}/site", "ASR_SCALING_CACHE": f"{tmp_path}/empty"}
    done = run_warm(tmp_path, "asr_scaling", SWEEP[:-1], {**command_env, **broken_env})
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("self-test (once a day")
    assert (
        "The self-test could not be run (it ended with 1: SystemExit: broken here): try"
        in " ".join(done.stdout.split())
    )
    (found,) = certificates(tmp_path / "multirun")
    assert (found["status"], found["reason"]) == (
        "fail",
        "it ended with 1: SystemExit: broken here",
    )
    assert records(tmp_path)[0].environment["certificate"]["status"] == "fail"


def test_it_can_be_left_out(cli: Cli, tmp_path: Path) -> None:
    done = cli(*QUICK, "tracking=jsonl", ASR_SCALING_CACHE=str(tmp_path / "empty"))
    assert done.returncode == 0, done.stderr
    assert certificates(tmp_path / "multirun") == []
    assert "certificate" not in records(tmp_path)[0].environment
