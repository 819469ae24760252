"""What a system tells of its texts reaches the client, through the services of this package."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from support.fakes import FakeDevice, ScriptedSystem, transcription
from support.served import make_api

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import Served, Serving, System
from asr_scaling.core.turns import Turn
from asr_scaling.dataset import demo
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.serving.batched import Batched
from asr_scaling.serving.direct import Direct
from asr_scaling.serving.replicas import Replicas

DEMO = Path(demo.__file__).parent / "demo_data" / "demo-001.flac"
TINY = load_spec("whisper_tiny")


def segments(serving: Serving, system: System, device: Cpu | FakeDevice) -> object:
    service = serving.start(Served(TINY, Fake(), device, system), ())
    api = make_api(service, model="whisper_tiny")
    asked = {"response_format": "verbose_json", "language": "de"}
    with DEMO.open("rb") as file, TestClient(api.app()) as client:
        told = client.post("/v1/audio/transcriptions", data=asked, files={"file": file}).json()
    service.close()
    api.close()
    return told["language"], [(each["speaker"], each["text"]) for each in told["segments"]]


@pytest.mark.parametrize("serving", [Direct(), Batched()], ids=["direct", "batched"])
def test_turns_and_language(serving: Serving) -> None:
    turns = ((Turn(0.0, 0.5, "Ann", "eins"), Turn(0.5, 1.0, "Bob", "zwei")),)
    system = ScriptedSystem(
        lambda batch, probe: transcription(
            batch, texts=("eins zwei",), turns=turns, languages=("fr",)
        )
    )
    said = ("french", [("Ann", "eins"), ("Bob", "zwei")])
    assert segments(serving, system, FakeDevice()) == said


@pytest.mark.slow
def test_language_from_another_process() -> None:
    system = Fake().load(TINY, Cpu())
    assert segments(Replicas(workers=1, threads=1), system, Cpu(threads=1)) == ("german", [])
