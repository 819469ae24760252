"""A server by HTTP as the engine of a system under test."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.choices import chosen
from support.fakes import FakeDevice, make_job, make_spec, utterances
from support.http_answers import serving, status, text

from asr_scaling.batch.fixed import Fixed
from asr_scaling.core.ports import NullProbe, SystemSpec, capabilities
from asr_scaling.core.workload import AudioBatch
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError, EngineError
from asr_scaling.measure.job import run
from asr_scaling.profiler.latency import Latency
from asr_scaling.profiler.quality import Quality
from asr_scaling.serving.endpoint import Endpoint


def test_the_server_is_a_system_that_is_called_too():
    batch = AudioBatch(utterances([1.0, 2.0]))
    with serving(text("fine")) as server:
        engine = Endpoint(server.url, model="large").answering(Fake())
        system = engine.load(make_spec(), FakeDevice())
        result = system.transcribe(batch, NullProbe())
        assert [asked.fields["model"] for asked in server.asked] == ["large", "large"]
        server.answer = status(500, b'{"error": {"message": "It broke."}}')
        with pytest.raises(EngineError, match=r"^The server at http://\S+ failed: HTTP 500: It b"):
            system.transcribe(batch, NullProbe())
        system.close()
        system.close()
    assert result.texts == ("fine", "fine")
    assert result.audio_s == (1.0, 2.0)
    assert system.facts.weights == "elsewhere"
    assert len(system.facts.notes) == 1
    assert "memory/peak_rss_bytes" in system.facts.unobservable


@pytest.mark.slow
def test_its_calls_are_measured_one_by_one_and_what_is_not_seen_is_absent():
    with serving(text("text 0")) as server:
        job = make_job(serving=Endpoint(server.url), device=Cpu(threads=1))
        record = run(replace(job, profiler={"latency": Latency(), "quality": Quality()}))
    assert (record.status, record.reason) == ("ok", None)
    assert record.system["engine"] == "endpoint"
    assert record.system["facts"]["weights"] == "elsewhere"
    values = {metric.name: metric.value for metric in record.metrics}
    assert values["latency/mean_s"] > 0
    assert values["quality/wer"] > 0  # the second text is "text 1"
    assert "workload/tokens_per_s" in record.unavailable
    assert "workload/tokens_per_s" not in values


def test_the_record_of_another_machine_says_that_energy_is_not_its():
    engine = Endpoint("https://api.example.org/v1").answering(Fake())
    system = engine.load(make_spec(), FakeDevice())
    assert "Energy" in system.facts.notes[1]
    system.close()


def test_it_is_the_engine_of_the_system_under_test():
    spec = SystemSpec(
        make_spec(), Fake(), FakeDevice(), Fixed(1), serving=Endpoint("http://127.0.0.1:1")
    )
    composed = spec.composed()
    assert composed.engine_name == "endpoint"
    assert not capabilities(composed.engine).reads_weights
    composed.check()


def test_a_server_elsewhere_can_not_be_optimised():
    spec = SystemSpec(
        make_spec(),
        Fake(),
        Cpu(),
        Fixed(1),
        optimisation=chosen("keep_heap"),
        serving=Endpoint("http://127.0.0.1:1"),
    )
    with pytest.raises(ConfigError, match="serving=endpoint asks a server elsewhere"):
        spec.composed()
