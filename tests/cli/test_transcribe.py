"""``python -m asr_scaling transcribe``: a line a file,
and a file without a text costs no other its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from support.fakes import ScriptedSystem, transcription

from asr_scaling.cli.transcribe import main
from asr_scaling.core.ports import Transcription
from asr_scaling.core.workload import SAMPLE_RATE_HZ, AudioBatch
from asr_scaling.errors import EngineError
from asr_scaling.sweep.allowlist import TRUSTED

CONFIG = f"""
defaults:
  - config
  - override engine: fake
  - override batch: fixed
  - _self_
engine:
  _target_: {__name__}.Counting
batch:
  size: 3
"""
REFUSED_S = 7
BROKEN_S = 8
CALLS: list[int] = []
LOADED: list[ScriptedSystem] = []


class Counting:
    """An engine whose text is the length of the audio;
    it fails on lengths of 7 and 8 s and reads 20 s at most."""

    def __init__(self, **_: Any) -> None: ...

    def check(self, model: Any) -> None: ...

    def load(self, model: Any, device: Any) -> ScriptedSystem:
        def script(batch: AudioBatch, probe: Any) -> Transcription:
            CALLS.append(len(batch))
            lengths = [round(u.duration_s) for u in batch.utterances]
            if REFUSED_S in lengths:
                raise EngineError("7 s can't be read.")
            if BROKEN_S in lengths:
                raise ZeroDivisionError("in the\nengine")
            texts = tuple(f" {length}\ts\n" for length in lengths)
            return transcription(
                batch, texts=texts, audio_s=tuple(min(20.0, u.duration_s) for u in batch.utterances)
            )

        LOADED.append(ScriptedSystem(script))
        return LOADED[-1]


@pytest.fixture
def transcribe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """The command in a folder with recommended.yaml and a file ``<n>.wav`` for each length."""
    monkeypatch.setenv(TRUSTED, __name__)
    monkeypatch.chdir(tmp_path)
    Path("recommended.yaml").write_text(CONFIG, encoding="utf-8")
    CALLS.clear()
    LOADED.clear()

    def call(*arguments: object) -> tuple[int, list[str], list[str]]:
        for length in arguments:
            if isinstance(length, int):
                samples = np.zeros(length * SAMPLE_RATE_HZ, dtype=np.float32)
                soundfile.write(f"{length}.wav", samples, SAMPLE_RATE_HZ)
        status = main([f"{each}.wav" if isinstance(each, int) else str(each) for each in arguments])
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err.splitlines()

    return call


def test_of_one_file_the_text(transcribe: Any) -> None:
    assert transcribe(2) == (0, ["2 s"], [])
    assert LOADED[0].closed == 1


def test_of_several_a_line_each_in_their_order_and_in_the_recommended_batches(
    transcribe: Any,
) -> None:
    assert transcribe(4, 1, 3, 2) == (
        0,
        ["4.wav\t4 s", "1.wav\t1 s", "3.wav\t3 s", "2.wav\t2 s"],
        [],
    )
    assert CALLS == [3, 1]


def test_the_same_file_twice(transcribe: Any) -> None:
    assert transcribe(4, 4)[1] == ["4.wav\t4 s", "4.wav\t4 s"]


def test_in_a_language_that_the_model_does_not_know(
    transcribe: Any,
) -> None:
    assert transcribe(1, "--language", "en")[0] == 0
    status, _, said = transcribe(1, "--language", "de")
    assert status == 1
    assert "knows only English (en): choose whisper_tiny" in said[0]


def test_as_json(transcribe: Any) -> None:
    status, out, err = transcribe("--json", 2, "gone.wav")
    first, second = map(json.loads, out)
    assert first == {"file": "2.wav", "text": " 2\ts\n"}
    assert second.keys() == {"file", "error"}
    assert (status, len(err)) == (1, 1)
    assert transcribe("--json", 2)[:2] == (0, out[:1])


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("gone.wav", "error: gone.wav: 'gone.wav' can't be opened"),
        ("recommended.yaml", "error: recommended.yaml: 'recommended.yaml' can't be read as audio"),
        (
            30,
            (
                "error: 30.wav: the audio lasts 30.0 s and this system reads only 20.0 s of it: "
                "cut it, or load"
            ),
        ),
        (REFUSED_S, "error: 7.wav: 7 s can't be read."),
        (BROKEN_S, "error: 8.wav: ZeroDivisionError: in the engine"),
    ],
)
def test_a_file_without_a_text_costs_no_other_its_own(
    transcribe: Any, bad: object, said: str
) -> None:
    status, out, (line,) = transcribe(1, bad, 2, 3)
    assert status == 1
    assert out == ["1.wav\t1 s", "2.wav\t2 s", "3.wav\t3 s"]
    assert line.startswith(said)
    status, out, (line,) = transcribe(bad)
    assert (status, out) == (1, [])
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "the following arguments are required: FILE"),
        ((1, "--config", "gone.yaml"), "There is no file 'gone.yaml' that ends with .yaml"),
        ((1, "--config", "1.wav"), "There is no file '1.wav' that ends with .yaml"),
    ],
)
def test_bad_input_is_one_sentence(
    transcribe: Any, arguments: tuple[object, ...], said: str
) -> None:
    status, out, (line,) = transcribe(*arguments)
    assert (status, out) == (1, [])
    assert line.startswith(f"error: {said}")


def test_as_a_program_with_the_fake_engine(tmp_path: Path) -> None:
    """It knows no text; names of files can't repaint the terminal."""
    (tmp_path / "fake.yaml").write_text(
        "defaults: [config, {override engine: fake}, _self_]\n", encoding="utf-8"
    )
    for name in ("a.wav", "\x1bb.wav"):
        soundfile.write(tmp_path / name, np.zeros(SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "asr_scaling",
            "transcribe",
            "a.wav",
            "\x1bb.wav",
            "--config",
            "fake.yaml",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "a.wav\t\n\\x1bb.wav\t\n"


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "asr_scaling", "transcribe", "--help"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {
        "torch",
        "hydra",
        "omegaconf",
        "mlflow",
        "scipy",
        "rich",
        "pandas",
        "transformers",
    }
