"""experiment=optimise on the command line: a search of points, told, kept and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from support.command import QUICK, Cli, records

from asr_scaling.core.record import RECORD_FILE, RunRecord

SEARCH = (
    "experiment=optimise",
    *(each for each in QUICK if not each.startswith("profiler")),
    "sweep.report=false",
    "optimiser.optimisations=[pinned_threads,fused]",
    "optimiser.batches=[1]",
    "optimiser.processes=1",
    "pipeline.utterances=2",
)


def sweep_of(folder: Path) -> Path:
    (found,) = {path.parent for path in folder.rglob("optimise.json")}
    return found


def test_a_search_measures_tells_and_goes_on_where_it_was_cut(cli: Cli, tmp_path: Path) -> None:
    done = cli(*SEARCH)
    assert done.returncode == 0, done.stderr
    assert "Latency, batch 1: " in done.stdout
    sweep = sweep_of(tmp_path)
    journal = json.loads((sweep / "optimise.json").read_text())
    plain, pinned = (f"0_search_b1_fake{more}" for more in ("", "_pinned_threads"))
    assert {f"rounds/0/{plain}", f"rounds/0/{pinned}"} <= set(journal["seconds"])
    refused = {each["why"] for each in journal["outcome"]["left"] if each["kind"] == "refused"}
    assert any(why.startswith("optimisation=fused ") and "engine=fake" in why for why in refused)
    found = records(sweep)
    assert {r.config["optimiser"]["stage"] for r in found} <= {"search", "semifinal", "final"}
    assert all("quality/wer" in r.values for r in found)
    merged = RunRecord.read(sweep / plain / RECORD_FILE)
    assert merged.processes == 1
    assert merged.dataset["spread_over"] == 64

    winner = journal["outcome"]["answers"][0]["winner"]["candidate"]
    named = OmegaConf.load(sweep / "recommended.yaml")
    assert list(named.get("optimisation") or []) == winner["optimisations"]
    label = " + ".join((winner["engine"], *winner["optimisations"]))
    assert f"Latency, batch 1: {label} is " in done.stdout or not winner["optimisations"]

    began = RunRecord.read(sweep / "rounds/0" / plain / RECORD_FILE).started_at
    shutil.rmtree(sweep / "rounds/0" / pinned)
    again = cli(*SEARCH, "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert sweep_of(tmp_path) == sweep
    assert "whisper_tiny_en fake cpu b1 search was measured before" in again.stderr
    assert "whisper_tiny_en fake cpu b1 pinned_threads search done in" in again.stderr
    assert RunRecord.read(sweep / "rounds/0" / plain / RECORD_FILE).started_at == began
    after = json.loads((sweep / "optimise.json").read_text())["seconds"]
    assert after[f"rounds/0/{plain}"] == journal["seconds"][f"rounds/0/{plain}"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("batch=4",),
            (
                "error: The optimiser chooses batch.size itself: "
                "leave it out, or set optimiser.batches=[…].\n"
            ),
        ),
        (
            ("optimisation=[fused]",),
            "error: The optimiser chooses optimisation itself: leave it out, or set ",
        ),
        (
            ("model=whisper_tiny_en,whisper_base",),
            "error: The optimiser takes one value of model: it sweeps by itself",
        ),
        (("optimiser.minutes=0",), "error: optimiser.minutes must be more than 0; got 0.\n"),
        (
            ("optimiser.engines=[fake]",),
            "error: engine names the one engine to optimise, optimiser.engines several: ",
        ),
        (
            ("engine.fail_on=whisper_tiny_en",),
            "error: The baseline, engine=fake, can't be measured (",
        ),
    ],
)
def test_what_can_not_be_searched_is_one_sentence(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = cli(*SEARCH, *arguments)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines(keepends=True) if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(said)
