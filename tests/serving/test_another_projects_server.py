"""Slow: a server of another project, measured through serving=endpoint."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from contextlib import closing, contextmanager, suppress

import pytest
from support.held_systems import Replies, served, texts, until
from support.small_whisper import pretrained

from asr_scaling.core.model_spec import load_spec
from asr_scaling.core.ports import NullProbe
from asr_scaling.core.workload import AudioBatch
from asr_scaling.dataset.demo import Demo
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.faster_whisper import FasterWhisper
from asr_scaling.engine.faster_whisper._files import ctranslate2_files
from asr_scaling.serving.endpoint import Endpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("faster_whisper_server") is None,
        reason="faster-whisper-server is not installed: pip install faster-whisper-server==0.0.3",
    ),
]
MODEL = "whisper_tiny_en"


@contextmanager
def server(folder):
    """Address of a faster-whisper-server with the model in ``folder``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "faster_whisper_server", str(folder)]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def listens():
        assert process.poll() is None
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
            return True
        return False

    try:
        until(listens)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_its_texts_are_those_of_the_same_weights_here():
    model = pretrained(load_spec(MODEL))
    folder = ctranslate2_files(model, "int8", 42).folder
    spoken = Demo().load(3).utterances
    replies = Replies()
    with server(folder) as url:
        endpoint = Endpoint(url, model=str(folder))
        engine = endpoint.answering(FasterWhisper())
        system = engine.load(model, Cpu())
        called = system.transcribe(AudioBatch(spoken[:1]), NullProbe()).texts
        service = endpoint.start(served(system, engine), spoken[:1])
        replies.submit(service, *spoken)
        replies.wait(3)
        service.close()
        system.close()
    assert texts([replies.of(one.id) for one in spoken])[:1] == list(called)
    here = FasterWhisper(dtype="int8").load(model, Cpu())
    assert [replies.of(one.id).text for one in spoken] == [
        here.transcribe(AudioBatch((one,)), NullProbe()).texts[0].strip() for one in spoken
    ]
    here.close()
