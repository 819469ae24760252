"""Requests that arrive, from the command line: options, records, and what is refused."""

from __future__ import annotations

from pathlib import Path

from support.command import QUICK, Cli, records

FAKE = ("engine=fake", "model=whisper_tiny_en", "profiler=[latency,energy,quality]")


def test_a_load_is_in_the_record(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        *QUICK, *FAKE, "scenario=requests", "scenario.rate=50", "scenario.requests=90",
        "scenario.bound='p90<1s,errors=0,wer<=5'",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path)
    (load,) = record.loads
    assert (load.arrivals, load.offered_per_s, load.requests) == ("poisson", 50.0, 90)
    assert load.verdict in ("held", "withheld")  # a machine with other work may be too late
    assert load.values["load/wer"] == 0.0
    assert load.values["load/power_w"] > 0
    assert "EstimatedEnergy" in [caution.kind for caution in load.cautions]
    assert record.values["load/served_per_s"] == load.values["load/served_per_s"]
    assert record.system["serving"]["name"] == "direct"
    assert list(tmp_path.rglob("requests.csv.gz"))


def test_rates_are_swept(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "-m", *QUICK, *FAKE, "scenario=requests", "scenario.rate=50,100", "scenario.requests=20",
        "scenario.arrivals=constant",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [load.offered_per_s for record in records(tmp_path) for load in record.loads] == [
        50.0, 100.0
    ]  # fmt: skip


def test_what_makes_no_sense_is_refused_before_anything_is_loaded(cli: Cli, tmp_path: Path) -> None:
    for option in ("scenario.rate=0", "scenario.bound=fast", "scenario.arrivals=closed"):
        done = cli(*QUICK, *FAKE, "scenario=requests", option)
        assert done.returncode != 0
        assert "scenario." in done.stdout + done.stderr
        assert not [record for record in records(tmp_path) if record.loads]


def test_what_a_service_holds(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        *QUICK, *FAKE, "engine.fixed_s=0.02", "scenario=capacity", "scenario.minutes=0.25",
        "scenario.bound='p90<0.2s,errors=0'", "scenario.late_s=0.05",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path)
    assert record.loads
    assert record.values["capacity/loads"] == len(record.loads)
    assert "capacity/rate_per_s" in {*record.values, *record.unavailable}
    assert record.values.get("capacity/rate_per_s", 20.0) < 50.0
    assert "requests a second" in done.stderr
