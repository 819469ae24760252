"""One answer: recommend, the report, a sweep's last lines, MLflow and recommended.yaml name one
system with the same figures, whatever was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from support.queues import Server, searched
from support.studies import BASE, TINY, Law, record

from asr_scaling.analysis.load_points import points
from asr_scaling.analysis.recommendation.answers import answers
from asr_scaling.analysis.recommendation.scenarios import Budgets
from asr_scaling.cli.recommend import main
from asr_scaling.core.record import RunRecord
from asr_scaling.machine.environment import environment
from asr_scaling.records.sweep_end import close_sweep
from asr_scaling.records.sweep_manifest import SweepManifest
from asr_scaling.report.build import document, first_words
from asr_scaling.search.outcome import Journal, Outcome
from asr_scaling.sweep.answer import conclude
from asr_scaling.tracking.mlflow import Mlflow

NAMES = ("model", "engine", "device", "dataset", "batch")
FAST = replace(BASE, window_cost_s=0.2)
FASTER = replace(BASE, window_cost_s=0.1)
LUCKY = replace(BASE, window_cost_s=0.001)
SEARCHED = Outcome(20.0, 1000.0, 0.5, (), (), (), ())


def made(
    law: Law,
    batch: int,
    *optimisations: str,
    stage: str = "",
    length: float | None = None,
    worse: int = 0,
    utterances: int = 16,
    **changes: Any,
) -> RunRecord:
    """A point of this machine. worse: utterances of which a word more is wrong."""
    found = record(law, length, batch, calls=16)
    own = {key: environment()[key] for key in ("cpu", "cpu_cores", "memory_bytes")}
    rows = [
        dict(row, substitutions=int(row["substitutions"]) + (i < worse))
        for i, row in enumerate(found.transcripts[:utterances])
    ]
    config = {
        **found.config,
        "optimisation": {name: {} for name in optimisations},
        **({"optimiser": {"stage": stage, "engines": None, "max_wer_loss": 0.5}} if stage else {}),
    }
    dataset = {**found.dataset, "digest": f"{utterances} utterances", "utterances": utterances}
    metrics = tuple(
        replace(m, value=sum(int(r["substitutions"]) for r in rows) / (100 * len(rows)))
        if m.name == "quality/wer"
        else m
        for m in found.metrics
    )
    return replace(
        found,
        config=config,
        dataset=dataset,
        metrics=metrics,
        transcripts=tuple(rows),
        environment={**found.environment, **own},
        **changes,
    )


def final(law: Law, batch: int, *optimisations: str, **more: Any) -> RunRecord:
    return made(law, batch, *optimisations, stage="final", started_at=1_795_001_000.0, **more)


def screened(law: Law, batch: int, *optimisations: str, stage: str = "search") -> RunRecord:
    return made(law, batch, *optimisations, stage=stage, utterances=6)


@dataclass(frozen=True)
class Case:
    """A sweep, and what it answers."""

    records: Sequence[RunRecord]
    answer: str
    one_at_a_time: str = ""
    undecided: str = ""
    searched: bool = False


CASES = {
    "a plain sweep of two models": Case(
        [made(law, batch) for law in (TINY, BASE) for batch in (1, 16)]
        + [made(FAST, batch, "int8") for batch in (1, 16)],
        "whisper_base · int8 · cpu · batch 16",
        "whisper_base · int8 · cpu · batch 1",
    ),
    "several lengths": Case(
        [made(BASE, 1), made(FAST, 1, "int8")]
        + [made(law, 1, length=15.0) for law in (BASE, LUCKY, TINY)],
        "whisper_base · int8 · cpu · batch 1",
    ),
    "a search with a lucky screening": Case(
        [screened(BASE, b) for b in (1, 16)]
        + [screened(LUCKY, b, "fused") for b in (1, 16)]
        + [made(LUCKY, 16, "fused", stage="semifinal")]
        + [final(BASE, b) for b in (1, 16)]
        + [final(FAST, b, "int8") for b in (1, 16)]
        + [final(BASE, b, "fused") for b in (1, 16)],
        "whisper_base · int8 · cpu · batch 16",
        "whisper_base · int8 · cpu · batch 1",
        searched=True,
    ),
    "a search as older ones called their stages": Case(
        [screened(LUCKY, 1, "fused", stage=stage) for stage in ("alone", "together")]
        + [final(BASE, 1), final(FAST, 1, "int8")],
        "whisper_base · int8 · cpu · batch 1",
        searched=True,
    ),
    "a faster rival that is undecided": Case(
        [final(BASE, 1), final(FAST, 1, "int8"), final(FASTER, 1, "bf16", worse=6)],
        "whisper_base · int8 · cpu · batch 1",
        undecided="whisper_base · bf16 · cpu · batch 1",
        searched=True,
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    found = request.param
    assert isinstance(found, Case)
    return found


@pytest.fixture
def sweep(case: Case, tmp_path: Path) -> Path:
    folder = tmp_path / "multirun" / "day" / "time"
    for number, each in enumerate(case.records):
        each.write(folder / f"{number}_point")
    SweepManifest(()).write(folder)
    if case.searched:
        Journal(outcome=SEARCHED).write(folder)
    return folder


def tags_of(folder: Path, database: Path) -> dict[str, str]:
    """The tags of the sweep's run in MLflow once it has ended."""
    import mlflow

    sink = Mlflow(f"sqlite:///{database}")
    parent = sink.open("sweep", {})
    close_sweep(sink, folder, parent, "FINISHED")
    return dict(mlflow.MlflowClient(sink.uri).get_run(parent).data.tags)


def test_all_name_one_system_with_the_same_figures(
    case: Case,
    sweep: Path,
    tmp_path: Path,
    mlflow_database: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measured = points([str(sweep)])
    one = answers(measured)
    winner, figures = one.found.winner, one.found.figures
    assert winner is not None
    assert one.lines[0].startswith(f"For natural utterances of speech: {case.answer} (RTFx ")

    ended, well = conclude(sweep, report=False)
    assert well, ended
    assert ended[: len(one.lines)] == list(one.lines)

    assert main([str(sweep), "-o", str(tmp_path / "best.yaml")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1 : 1 + len(one.lines)] == list(one.lines)

    page = first_words(document(measured, Budgets()))
    assert page.startswith(f"For natural utterances of speech use {case.answer}")
    assert f"({figures})." in page

    tags = tags_of(sweep, mlflow_database)
    assert f"{tags['answer/system']} · {tags['answer/device']} · batch {tags['answer/batch']}" == (
        case.answer
    )
    assert tags["answer/figures"] == figures
    assert float(tags["answer/rtfx"]) == pytest.approx(winner.values["throughput/rtfx"], rel=1e-5)
    assert tags["answer/one_at_a_time"] == (case.one_at_a_time or "none")

    told = [line for line in one.lines if line.startswith("Undecided: ")]
    assert len(told) == bool(case.undecided)
    assert all(line.startswith(f"Undecided: {case.undecided} is ") for line in told)
    assert all(line.endswith(" more words would decide.") for line in told)
    assert tags["answer/undecided"].startswith(case.undecided or "none")
    alone = [line for line in one.lines if line.startswith("For one utterance at a time: ")]
    assert [line.partition(": ")[2].partition(" (")[0] for line in alone] == (
        [case.one_at_a_time] if case.one_at_a_time else []
    )
    assert _choices(tmp_path / "best.yaml")["batch"]["size"] == winner.batch
    if case.searched:
        assert _choices(sweep / "recommended.yaml") == _choices(tmp_path / "best.yaml")
    else:
        assert not (sweep / "recommended.yaml").exists()


def _choices(path: Path) -> dict[str, Any]:
    plain = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def test_what_a_search_chose_without_a_final_is_provisional() -> None:
    found = named_answers([screened(BASE, 1), screened(FAST, 1, "int8")])
    assert "chose it by this very measurement" in found.found.provisional


def test_of_one_system_more_processes_then_more_words_then_the_newest_count() -> None:
    several = {"interval/of": "3 processes"}
    once = made(LUCKY, 1, started_at=1_795_009_000.0)
    thrice = made(BASE, 1)
    thrice = replace(thrice, tags={**thrice.tags, **several})
    found = named_answers([thrice, once])
    assert found.found.winner is not None
    assert found.found.winner.tags["interval/of"] == "3 processes"
    assert found.among.aside == ("1 point of configurations that were measured again",)
    newer = named_answers([made(BASE, 1), once])
    assert newer.found.winner is not None
    assert newer.found.winner.started_at == once.started_at


def test_what_is_beside_a_final_is_set_aside_and_counted() -> None:
    found = named_answers(
        [screened(LUCKY, 1, "fused"), made(LUCKY, 1, "fused"), final(BASE, 1), made(TINY, 1)]
    )
    assert found.found.winner is not None
    assert (found.found.winner.model, found.found.winner.optimisations) == ("whisper_base", ())
    assert set(found.among.aside) == {
        "1 point measured by a search before its final",
        "1 point measured beside a search's final",
    }


def test_the_newest_sweep_says_which_speech_is_meant() -> None:
    """Three systems on an older sweep's speech, one on the newest's: the newest is meant."""
    old = [_of("old", made(law, 1, name=f"{i}")) for i, law in enumerate((TINY, BASE, FAST))]
    new = _of("new", made(BASE, 1, started_at=1_795_009_000.0))
    new = replace(new, dataset={**new.dataset, "name": "meetings", "digest": "m"})
    found = named_answers([*old, new])
    assert found.among.speech == "natural utterances of meetings"
    assert found.among.aside == ("3 points of speech (--dataset speech)",)
    assert "newest sweep 2026-11-18 13:36 UTC" in found.among.measured


def _of(sweep: str, record: RunRecord) -> RunRecord:
    return replace(record, config={**record.config, "hydra": {"sweep": sweep}})


def named_answers(records: Sequence[RunRecord]) -> Any:
    from asr_scaling.analysis.points import to_point
    from asr_scaling.analysis.system_names import named

    return answers(named(map(to_point, records)))


def test_a_sweep_that_can_not_be_answered_says_so_and_goes_on(tmp_path: Path) -> None:
    for number, law in enumerate((BASE, TINY)):
        unknown = replace(law, wer=None)
        made_one = record(unknown, None, 1)
        made_one.write(tmp_path / f"{number}_point")
    lines, well = conclude(tmp_path, report=False)
    assert well
    assert lines[0].endswith("No system of known WER was measured.")
    facts = json.loads((tmp_path / "answer.json").read_text())
    assert facts["answer/system"] == "none"
    assert facts["answer/why_none"] == "No system of known WER was measured."


def test_a_single_point_is_no_choice(tmp_path: Path) -> None:
    made(BASE, 1).write(tmp_path / "0_point")
    lines, well = conclude(tmp_path, report=False)
    assert (lines, well) == ([f"Report: python -m asr_scaling report {tmp_path}"], True)
    assert not (tmp_path / "answer.json").exists()


class TestRequests:
    def test_all_name_first_what_holds_most(
        self, tmp_path: Path, mlflow_database: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        own = {key: environment()[key] for key in ("cpu", "cpu_cores", "memory_bytes")}
        records = searched(Server(5.0)), searched(Server(9.0), serving="batched")
        for number, each in enumerate(records):
            replace(each, environment={**each.environment, **own}).write(tmp_path / f"{number}_p")
        SweepManifest(()).write(tmp_path)
        ended, well = conclude(tmp_path, report=False)
        assert well, ended
        most = "whisper_tiny_en · serving=batched · cpu (holds 6.70 ± 0.33 requests/s with p99<2s"
        assert ended[0].startswith(f"Most requests that arrive: {most}")
        assert main([str(tmp_path), "-o", str(tmp_path / "best.yaml")]) == 0
        assert ended[0] in capsys.readouterr().out
        page = first_words(document(points([str(tmp_path)]), Budgets()))
        assert page.startswith("For requests that arrive use whisper_tiny_en · serving=batched")
        assert tags_of(tmp_path, mlflow_database)["answer/requests"] == ended[0]

    def test_one_point_says_what_it_holds(self, tmp_path: Path) -> None:
        searched(Server(5.0)).write(tmp_path / "0_p")
        SweepManifest(()).write(tmp_path)
        first, report = conclude(tmp_path, report=False)[0]
        assert first.startswith("Most requests that arrive: whisper_tiny_en · cpu (holds 2.70")
        assert report.startswith("Report: ")
