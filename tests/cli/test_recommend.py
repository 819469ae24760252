"""``python -m asr_scaling recommend`` on made-up studies of this machine:
what it names, writes and exits with."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from support.queues import Server, searched
from support.studies import BASE, GPU_TINY, TINY, WAV2VEC2, Law, record, study
from support.warm import printed

from asr_scaling.cli.recommend import main
from asr_scaling.core.record import RunRecord
from asr_scaling.machine.environment import environment
from asr_scaling.serving.batched import Batched
from asr_scaling.sweep.described_system import _composed
from asr_scaling.sweep.instantiate import build_job, build_system, options, with_needs
from asr_scaling.util.config_dir import conf_dir

PARTS = ("model", "engine", "optimisation", "device", "batch")


def here(found: RunRecord, **environ: Any) -> RunRecord:
    """As if measured on this machine."""
    own = {key: environment()[key] for key in ("cpu", "cpu_cores", "memory_bytes")}
    return replace(found, environment={**found.environment, **own, **environ})


def stored(folder: Path, *records: RunRecord) -> Path:
    for number, each in enumerate(records):
        each.write(folder / f"{number}_point")
    return folder


def sweep(folder: Path, *laws: Law, **options: Any) -> Path:
    return stored(
        folder, *map(here, study(laws, **({"lengths": (15.0,), "batches": (1, 16)} | options)))
    )


def composed(*overrides: str, **parts: Any) -> dict[str, Any]:
    """The options of a point, as its record has them; ``parts`` are options of its groups."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        plain = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


class Said:
    """What a call printed and left."""

    def __init__(self, status: int, out: str, err: str, path: Path) -> None:
        self.status, self.out, self.err, self.path = status, out, err, path

    @property
    def first(self) -> str:
        """What there is, and what was set aside."""
        return self.out.splitlines()[0]

    @property
    def answer(self) -> str:
        """The line with the answer."""
        return self.out.splitlines()[1]


@pytest.fixture
def recommend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """The command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Said:
        status = main([str(each) for each in arguments])
        return Said(status, *capsys.readouterr(), tmp_path / "recommended.yaml")

    return call


class TestWhoWins:
    def test_with_a_bound_on_wer_the_fastest_within_all_bounds(self, recommend: Any) -> None:
        sweep(Path("multirun"), TINY, BASE)
        said = recommend("--max-wer", 8, "--memory", "2GB")
        assert said.status == 0
        assert said.answer.startswith(
            "For fragments of 15 s of speech: whisper_tiny_en · cpu · batch 16 (RTFx 33.1; WER 4.9 "
        )
        assert "Winner against runner-up: RTFx: faster." in said.out
        assert "Runner-up whisper_base · cpu · batch 16" in said.out
        assert "Chosen among 4 configurations." in said.out

    @pytest.mark.parametrize(
        ("bounds", "winner"),
        [
            (("--max-wer", 4.2), "whisper_base · cpu · batch 16"),
            ((), "whisper_base · cpu · batch 16"),  # the other loses a point
            (("--max-wer-loss", 2), "whisper_tiny_en · cpu · batch 16"),
            (("--max-wer", 8, "--max-wer-loss", 0.5), "whisper_base · cpu · batch 16"),
            (("--latency-p95", 0.6), "whisper_tiny_en · cpu · batch 1"),
            (("--max-wer", 8, "--memory", "500MB"), "whisper_tiny_en · cpu · batch 1"),
            (("--max-wer", 8, "--energy", 9.8), "whisper_tiny_en · cpu · batch 16"),
            (
                ("--min-rtfx", 31, "--latency-p95", 9, "--batch", 16),
                "whisper_tiny_en · cpu · batch 16",
            ),
        ],
    )
    def test_every_bound_counts(
        self, recommend: Any, bounds: tuple[object, ...], winner: str
    ) -> None:
        sweep(Path("multirun"), TINY, BASE)
        assert f": {winner} (" in recommend(*bounds).answer

    def test_an_unknown_wer_never_counts(self, recommend: Any) -> None:
        sweep(Path("multirun"), TINY, replace(WAV2VEC2, per_s=0.001))
        said = recommend("--max-wer", 8)
        assert ": whisper_tiny_en · cpu · batch 16 (" in said.answer
        assert "but its WER is unknown: random weights." in said.out

    def test_few_calls_make_a_bound_on_p95_provisional(self, recommend: Any) -> None:
        sweep(Path("multirun"), TINY)
        said = recommend("--latency-p95", 9, "--batch", 16)
        assert "Provisional: 8 calls can't bound the 95th percentile (90 can)" in said.out
        assert "Confirm it:  python -m asr_scaling model=whisper_tiny_en" in said.out
        assert "pipeline.min_iterations=90" in said.out

    def test_a_wer_that_may_miss_the_bound_is_said(self, recommend: Any) -> None:
        sweep(Path("multirun"), TINY)  # 4.9 %, the interval up to 1.3 times that
        beyond = "The interval of its WER reaches beyond the budget."
        assert beyond in recommend("--max-wer", 6).out
        assert beyond not in recommend("--max-wer", 8).out


class TestWhatIsLeftOut:
    def test_other_machines(self, recommend: Any) -> None:
        slow = here(record(replace(TINY, call_s=2.0), 15.0, 1))
        cores = here(record(TINY, 15.0, 1), cpu_cores=environment()["cpu_cores"] + 1)
        gpu = here(record(GPU_TINY, 15.0, 1))
        said = recommend(
            stored(Path("mixed"), slow, record(TINY, 15.0, 1), cores, gpu), "--max-wer", 8
        )
        assert said.status == 0
        assert "RTFx 6.12" in said.out
        assert "Left out: 1 of another machine (Test CPU, 2 cores, 16 GiB); " in said.first
        assert "1 of another machine (Test GPU)" in said.first

    def test_failures_other_speech_other_lengths_and_repetitions(self, recommend: Any) -> None:
        found = [here(each) for each in study((TINY, BASE), (15.0,), (1,))]
        again = replace(
            here(record(replace(TINY, call_s=0.01), 15.0, 1)), started_at=found[0].started_at + 60
        )
        meetings = {"name": "meetings", "digest": "m"}
        other = replace(found[0], dataset=found[0].dataset | meetings)
        broken = replace(found[0], status="failed", reason="no", samples=(), metrics=())
        short = here(record(TINY, 5.0, 1))
        fake = replace(found[0], system={**found[0].system, "facts": {"weights": "fake"}})
        said = recommend(
            stored(Path("all"), *found, again, other, broken, short, fake), "--max-wer", 8
        )
        assert "RTFx 32.6" in said.out  # 15 s in 0.46 s: the newest
        assert said.first.endswith(
            " Set aside: 1 point of fragments of 5 s (--length 5); "
            "1 point of meetings (--dataset meetings); "
            "1 point of configurations that were measured again. "
            "Left out: 1 of engine=fake; 1 point not measured to their end."
        )
        assert "fragments of 5 s of speech" in recommend("all", "--length", 5).out
        assert "fragments of 15 s of meetings" in recommend("all", "--dataset", "meetings").out


class TestSeveralSpeeches:
    """Two folders called alike, of which the second was measured by one system, and last."""

    @pytest.fixture
    def measured(self) -> Path:
        easy = [here(each) for each in study((TINY, BASE), (15.0,), (1,))]
        hard = here(record(replace(TINY, wer=0.5), 15.0, 1))
        records = [
            replace(each, dataset=each.dataset | {"name": "test", "digest": d, "source": source})
            for each, d, source in zip(
                (*easy, hard), "eeh", ("/a/test", "/a/test", "/b/test"), strict=True
            )
        ]
        records[2] = replace(records[2], started_at=records[0].started_at + 60)
        return stored(Path("several"), *records)

    def test_one_is_never_taken_for_the_other_measured_again(
        self, recommend: Any, measured: Path
    ) -> None:
        said = recommend(str(measured), "--max-wer", 10)
        assert said.answer.startswith("For fragments of 15 s of test (a/test): whisper_tiny_en")
        assert "only candidate" not in said.out
        assert "measured again" not in said.out
        assert "1 point of test (b/test) (--dataset 'test (b/test)')" in said.first

    @pytest.mark.parametrize("name", ["test (b/test)", "/b/test", "b/test"])
    def test_the_other_one_can_be_asked_for(
        self, recommend: Any, measured: Path, name: str
    ) -> None:
        said = recommend(str(measured), "--dataset", name)
        assert said.answer.startswith("For fragments of 15 s of test (b/test): whisper_tiny_en")

    def test_as_said(self, recommend: Any, measured: Path) -> None:
        proposed = recommend(str(measured)).first.partition("of test (b/test) (")[2]
        flag, name = shlex.split(proposed.removesuffix(")."))
        assert "of test (b/test)" in recommend(str(measured), flag, name).out

    def test_the_same_speech_of_a_moved_project_is_one(self, recommend: Any) -> None:
        first, again = (here(record(TINY, 15.0, 1)) for _ in range(2))
        moved = again.dataset | {"name": "new", "source": "/elsewhere/new"}
        later = replace(again, dataset=moved, started_at=first.started_at + 60)
        said = recommend(stored(Path("moved"), first, later))
        assert "Set aside: 1 point of configurations that were measured again." in said.first

    def test_fewer_utterances_of_it_are_other_speech(self, recommend: Any) -> None:
        found = [here(each) for each in study((TINY, BASE), (15.0,), (1,))]
        few = replace(found[0], dataset=found[0].dataset | {"digest": "f", "utterances": 4})
        said = recommend(stored(Path("few"), *found, replace(few, started_at=2e9)))
        assert "of speech (16 utterances)" in said.out
        assert "--dataset 'speech (4 utterances)'" in said.out


class TestNothingMeets:
    def test_the_nearest_miss_is_named_and_nothing_written(self, recommend: Any) -> None:
        sweep(Path("multirun"), TINY, BASE)
        said = recommend("--latency-p95", 0.1, "--max-wer", 8)
        assert said.status == 1
        assert said.answer.startswith(
            "Nothing measured meets this, for fragments of 15 s of speech: "
        )
        assert (
            "Nearest: whisper_tiny_en · cpu · batch 1, "
            "slowest of 8 calls 500 ms where at most 100 ms"
        ) in said.out
        assert not said.path.exists()

    @pytest.mark.parametrize(
        ("asked", "why"),
        [
            (("--batch", 7), "No batch of 7 was measured here; measured: 1, 16."),
            (("--length", 45), "Nothing was measured at 45 s; measured: 15 s."),
            (("--dataset", "nope"), "No speech of nope was measured here; measured: speech."),
        ],
    )
    def test_what_was_not_measured_is_said(
        self, recommend: Any, asked: tuple[object, ...], why: str
    ) -> None:
        sweep(Path("multirun"), TINY)
        said = recommend(*asked)
        assert (said.status, why in said.out) == (1, True)

    def test_nothing_of_this_machine(self, recommend: Any) -> None:
        said = recommend(stored(Path("other"), record(TINY, 15.0, 1)))
        assert said.status == 1
        assert f"No point was measured on this machine ({environment()['cpu']}" in said.out

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ((), "There is no file or folder 'multirun' here"),
            (("--max-wer", "x"), "must be a positive number, got 'x'"),
            (("--batch", 0), "must be a whole number from 1, got '0'"),
            (("--memory", "2XB"), "must be a size as 500MB"),
            (("--out", "best.yml"), "end it with .yaml"),
            (("--out", "config.yaml"), "don't call it config.yaml"),
            (("--out", "nowhere/best.yaml"), "There is no folder 'nowhere'"),
        ],
    )
    def test_bad_input_is_one_sentence(
        self, recommend: Any, arguments: tuple[object, ...], why: str
    ) -> None:
        said = recommend(*arguments)
        assert (said.status, said.out, len(said.err.splitlines())) == (2, "", 1)
        assert said.err.startswith("error: ")
        assert why in said.err


class TestTheFile:
    @pytest.mark.parametrize(
        "overrides",
        [
            (),
            (
                "model=whisper_base",
                "engine.dtype=bfloat16",
                "decoding=beam",
                "decoding.beam=4",
                "device.threads=1",
                "batch.size=16",
                "seed=7",
            ),
            (
                "optimisation=[bucketing,decode_loop,dynamic_window]",
                "optimisation.dynamic_window.margin_s=3.5",
                "batch.size=16",
            ),
            (
                "batch=bucketed",
                "batch.size=16",
                "model.path='/data/my weights'",
                "device.pinned=true",
                "device.steady=true",
            ),
        ],
    )
    def test_it_composes_to_what_was_measured(
        self, recommend: Any, overrides: tuple[str, ...]
    ) -> None:
        config = with_needs(composed(*overrides))
        law = replace(TINY, model=config["model"]["name"])
        stored(
            Path("multirun"),
            here(replace(record(law, 15.0, config["batch"]["size"]), config=config)),
        )
        said = (
            recommend("--max-wer", 8, "--length", 15)
            if config["dataset"]["length_s"]
            else recommend("--max-wer", 8)
        )
        assert said.status == 0, said.err
        found = OmegaConf.to_container(_composed(said.path), resolve=True)
        assert isinstance(found, dict)
        assert {part: found.get(part) for part in PARTS} == {
            part: config.get(part) for part in PARTS
        }
        assert (
            build_job(found).system.batch.size  # type: ignore[arg-type]
            == config["batch"]["size"]
        )

    def test_the_largest_batch_is_the_one_that_was_found(self, recommend: Any) -> None:
        stored(
            Path("multirun"), here(replace(record(TINY, None, 16), config=composed("batch=max")))
        )
        found = OmegaConf.to_container(_composed(recommend("--max-wer", 8).path), resolve=True)
        assert isinstance(found, dict)
        assert found["batch"] == {"_target_": "asr_scaling.batch.fixed.Fixed", "size": 16}

    def test_its_comment_says_why(self, recommend: Any) -> None:
        sweep(Path("multirun"), TINY, BASE)
        text = recommend("--max-wer", 8).path.read_text(encoding="utf-8")
        comment = " ".join(
            line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#")
        )
        for said in (
            (
                "Recommended for fragments of 15 s of speech. WER at most 8 %, any batch: "
                "the highest RTFx."
            ),
            "Run it:  python -m asr_scaling --config-dir . --config-name recommended",
            (
                "Use it:  from asr_scaling import load_system; "
                "load_system('recommended.yaml').transcribe("
            ),
            (
                f"Measured on 2026-11-18 on {environment()['cpu']}, {environment()['cpu_cores']} "
                "cores, Linux,"
            ),
            "Winner against runner-up: RTFx: faster.",
            "Against it, RTFx +",
            "Measured again by:  python -m asr_scaling model=whisper_tiny_en",
        ):
            assert said in comment

    def test_a_model_of_the_users_own_is_refused(self, recommend: Any) -> None:
        stored(Path("multirun"), here(record(replace(TINY, model="my_whisper"), 15.0, 1)))
        said = recommend("--max-wer", 8)
        assert (said.status, said.path.exists()) == (2, False)
        assert "model=my_whisper is of a config folder of your own" in said.err


def test_its_command_line_is_what_python_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options that Hydra's command line composes from the file are those of the point."""
    config = composed("engine.dtype=bfloat16", "optimisation=[one_thread]")
    stored(tmp_path / "multirun", here(replace(record(TINY, None, 1), config=config)))
    assert (
        main([str(tmp_path / "multirun"), "--max-wer", "8", "--out", str(tmp_path / "best.yaml")])
        == 0
    )
    (line,) = (
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("Run it:  python -m asr_scaling ")
    )
    options = line.removeprefix("Run it:  python -m asr_scaling ").split()
    shown = printed(tmp_path, "asr_scaling", *options, "--cfg", "job")
    assert "dtype: bfloat16" in shown
    assert "one_thread:" in shown
    assert "asr_scaling.dataset.demo.Demo" in shown


class TestRequests:
    """``--qps``."""

    SMALL, LARGE = Server(5.0), Server(12.0, idle_w=30.0, busy_w=200.0)

    def measured(self, folder: Path) -> None:
        batched = {"serving": "batched", "options": {"max_batch": 16, "max_wait_s": 0.05}}
        records = (searched(self.SMALL), searched(self.LARGE, **batched))
        stored(folder, *map(here, records))

    def test_the_cheapest_that_holds_it_is_written_to_be_served(self, recommend: Any) -> None:
        self.measured(Path("multirun"))
        said = recommend("--qps", 4, "--latency-p99", 2, "--max-wer", 6)
        assert said.status == 0
        assert said.answer.startswith(
            "For natural utterances of speech: whisper_tiny_en · serving=batched · cpu (holds 9.70 "
        )
        assert f"Serve it: python -m asr_scaling serve {said.path.name}" in said.out
        assert "scenario=requests scenario.rate=4" in said.out
        written = said.path.read_text()
        assert "override serving: batched" in written
        assert "scenario" not in written.partition("defaults:")[2]
        served = build_system(options(_composed(said.path))).composed().serving
        assert served == Batched(max_batch=16, max_wait_s=0.05)

    def test_what_calls_are_asked_is_answered_as_without_loads(self, recommend: Any) -> None:
        self.measured(Path("multirun"))
        said = recommend("--max-wer", 8)
        assert said.status == 0
        assert said.answer.startswith(
            "Most requests that arrive: whisper_tiny_en · serving=batched"
        )
        assert "For natural utterances of speech: whisper_tiny_en" in said.out
        assert "scenario" not in said.path.read_text().partition("defaults:")[2]

    def test_nothing_is_written_where_nothing_holds_it(self, recommend: Any) -> None:
        self.measured(Path("multirun"))
        said = recommend("--qps", 40, "--max-wer", 6)
        assert said.status == 1
        assert "Nearest: whisper_tiny_en · serving=batched" in said.out
        assert not said.path.exists()

    def test_someone_elses_server_is_left_out(self, recommend: Any) -> None:
        server = searched(replace(self.LARGE, idle_w=1.0, busy_w=2.0))
        facts = {**server.system["facts"], "weights": "elsewhere"}
        server = replace(server, system={**server.system, "facts": facts})
        stored(Path("multirun"), *map(here, (server, searched(self.SMALL, serving="batched"))))
        said = recommend("--qps", 2, "--max-wer", 6)
        assert "whisper_tiny_en · cpu (holds 2.70" in said.answer
        assert "Left out: 1 of a server elsewhere, which nothing here can start." in said.first

    def test_without_loads_one_sentence_says_what_measures_them(self, recommend: Any) -> None:
        sweep(Path("multirun"), TINY)
        said = recommend("--qps", 3, "--latency-p99", 2)
        assert said.status == 2
        assert said.err.startswith("error: No load was measured here: python -m asr_scaling -m ")
        assert "'scenario.bound=p99<2s'" in said.err
        assert len(said.err.splitlines()) == 1

    def test_loads_of_other_machines_are_left_out(self, recommend: Any) -> None:
        stored(Path("multirun"), searched(self.LARGE))
        said = recommend("--qps", 3)
        assert said.status == 1
        assert "No point was measured on this machine" in said.out

    def test_bounds_of_calls_are_refused(self, recommend: Any) -> None:
        said = recommend("--qps", 3, "--memory", "2GB", "--batch", 4)
        assert said.status == 2
        assert "--memory and --batch would bound calls" in said.err
