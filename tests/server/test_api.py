"""The routes: what a client gets for audio, for what is none, and for what the service replies."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from support.audio_files import KINDS, Kind, made
from support.served import Held, Scripted, make_api, reply

from asr_scaling.core.ports import Reply, Service
from asr_scaling.core.turns import Turn
from asr_scaling.core.workload import SAMPLE_RATE_HZ, Utterance
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import EngineError
from asr_scaling.server import api as api_module
from asr_scaling.server.api import Limits
from asr_scaling.util.cache import cache_dir

URL = "/v1/audio/transcriptions"
DEMO = Path(api_module.__file__).parents[1] / "dataset" / "demo_data" / "demo-001.flac"


def client(service: Service | None = None, **options: Any) -> TestClient:
    api = make_api(service or Scripted(), **options)
    return TestClient(api.app(), raise_server_exceptions=False)


def post(client: TestClient, file: Any = None, **fields: str) -> httpx2.Response:
    files = {"file": ("a.flac", DEMO.read_bytes()) if file is None else file}
    return client.post(URL, files=files, data=fields)


def error(response: httpx2.Response) -> Mapping[str, Any]:
    told = response.json()
    assert told.keys() == {"error"}
    assert told["error"].keys() == {"message", "type", "param", "code"}
    return told["error"]  # type: ignore[no-any-return]


def sound(seconds: float, **options: Any) -> bytes:
    """A file of noise."""
    file = io.BytesIO()
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE_HZ))
    soundfile.write(file, samples, SAMPLE_RATE_HZ, **({"format": "WAV"} | options))
    return file.getvalue()


def claiming(size: int) -> bytes:
    """A WAV of a second whose header claims ``size`` bytes of samples."""
    file = bytearray(sound(1))
    where = file.index(b"data") + 4
    file[4:8] = (size + where - 4).to_bytes(4, "little")
    file[where : where + 4] = size.to_bytes(4, "little")
    return bytes(file)


class TestAudio:
    def test_reaches_the_service_as_samples(self) -> None:
        service = Scripted()
        answer = post(client(service), model="whisper-1")
        assert answer.status_code == 200
        assert answer.json() == {
            "text": "one two",
            "usage": {"type": "duration", "seconds": 5.14},
        }
        (utterance,) = service.got
        assert utterance.audio.size == 5.14 * SAMPLE_RATE_HZ
        assert utterance.language is None

    @pytest.mark.parametrize("kind", KINDS, ids=str)
    def test_of_any_format_that_a_dataset_may_have(self, kind: Kind) -> None:
        service = Scripted()
        assert post(client(service), ("x.bin", made(kind))).status_code == 200
        assert service.got[0].duration_s == pytest.approx(2, abs=kind.slack_s + 0.001)

    def test_in_the_language_that_was_asked_for(self) -> None:
        service = Scripted()
        asking = client(service, model="whisper_tiny")
        told = post(asking, language="de", response_format="verbose_json").json()
        assert service.got[0].language == "de"
        assert told["language"] == "german"
        assert post(asking, response_format="verbose_json").json()["language"] is None

    def test_in_the_language_that_was_recognised_with_its_turns(self) -> None:
        turns = (Turn(0.0, 1.0, "Ann", "eins"), Turn(1.0, 2.0, "Bob", "zwei"))
        service = Scripted(lambda u: reply(u, "eins zwei", turns=turns, language="de"))
        told = post(client(service, model="whisper_tiny"), response_format="verbose_json").json()
        assert told["language"] == "german"
        assert [segment["speaker"] for segment in told["segments"]] == ["Ann", "Bob"]

    def test_a_file_whose_name_has_any_letters(self) -> None:
        assert post(client(), ("Größe 🎤.flac", DEMO.read_bytes())).status_code == 200
        told = error(post(client(), ("Größe 🎤.flac", b"none")))
        assert told["message"].startswith("'Größe 🎤.flac' can't be read as audio")

    @pytest.mark.parametrize(
        ("contents", "said"),
        [
            (b"", "is empty"),
            (b"garbage" * 1000, "can't be read as audio"),
            (DEMO.read_bytes()[:20_000], "'bad.bin' "),
            (sound(1)[:20_000], "'bad.bin' "),
            (claiming(2 * 10**9), "'bad.bin' "),
        ],
        ids=["empty", "garbage", "cut FLAC", "cut WAV", "claims 2 GB"],
    )
    def test_that_is_none_is_one_sentence(self, contents: bytes, said: str) -> None:
        service = Scripted()
        answer = post(client(service), ("bad.bin", contents))
        assert answer.status_code == 400
        told = error(answer)
        assert said in told["message"]
        assert (told["param"], told["code"]) == ("file", "invalid_audio")
        assert service.got == []

    def test_that_is_too_long(self) -> None:
        answer = post(client(limits=Limits(audio_s=2.0)), ("a.wav", sound(2.5)))
        assert answer.status_code == 400
        assert "is longer than 2 s" in error(answer)["message"]

    def test_that_the_engine_does_not_take(self) -> None:
        class Short(Fake):
            def check_length(self, model: Any, longest_s: float) -> None:
                if longest_s > 2:
                    raise EngineError("This engine takes 2 s at most.")

        answer = post(client(engine=Short()))
        assert answer.status_code == 400
        assert error(answer)["message"] == "This engine takes 2 s at most."

    def test_of_which_only_the_begin_was_read(self) -> None:
        answer = post(client(Scripted(lambda utterance: reply(utterance, audio_s=3.0))))
        assert answer.status_code == 400
        assert "lasts 5.1 s and this system reads only 3.0 s" in error(answer)["message"]

    def test_stays_in_no_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
        kept = cache_dir("recordings")
        assert post(client(), ("long.flac", sound(601, format="FLAC"))).status_code == 200
        assert list(kept.iterdir()) == []


class TestSize:
    def test_that_is_claimed(self) -> None:
        answer = post(client(limits=Limits(upload_bytes=1000)))
        assert answer.status_code == 413
        assert error(answer)["code"] == "file_too_large"

    def test_that_is_not_claimed(self) -> None:
        def pieces() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(100):
                yield b"x" * 100

        headers = {"content-type": "multipart/form-data; boundary=x"}
        small = client(limits=Limits(upload_bytes=1000))
        assert small.post(URL, content=pieces(), headers=headers).status_code == 413

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
            (b"", "multipart/form-data"),
            (b"{}", "application/json"),
            (b"file=1", "application/x-www-form-urlencoded"),
            (
                b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'
                + b"x" * 100_000
                + b"\r\n--x--\r\n",
                "multipart/form-data; boundary=x",
            ),
        ],
        ids=["damaged", "no boundary", "json", "urlencoded", "huge field"],
    )
    def test_of_forms_that_are_none(self, body: bytes, kind: str) -> None:
        answer = client().post(URL, content=body, headers={"content-type": kind})
        assert answer.status_code == 400
        assert error(answer)["type"] == "invalid_request_error"


class TestReplies:
    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [("refused", 503, "overloaded"), ("timed_out", 504, "timeout"), ("failed", 500, None)],
    )
    def test_without_a_text(self, status: Any, code: int, kind: str | None) -> None:
        answer = post(client(Scripted(lambda u: Reply(status, 0.0, reason="There is a reason."))))
        assert answer.status_code == code
        told = error(answer)
        assert (told["message"], told["type"]) == ("There is a reason.", "server_error")
        assert kind in (None, told["code"])
        assert ("retry-after" in answer.headers) == (code == 503)

    def test_that_never_come_for_an_accident(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(Scripted):
            def submit(self, utterance: Utterance, replied: Callable[[Reply], None]) -> None:
                raise ZeroDivisionError("a secret of the house")

        broken = client(Broken())
        answer = post(broken)
        assert answer.status_code == 500
        assert "secret" not in error(answer)["message"]
        assert counts(broken)["500"] == 1


@pytest.mark.parametrize(
    ("lost", "status", "told"),
    [
        (0, 200, {"status": "ok"}),
        (1, 200, {"status": "degraded", "workers": 1, "workers_lost": 1}),
        (2, 503, {"status": "failed", "workers": 0, "workers_lost": 2}),
    ],
)
def test_health_is_that_of_the_workers(lost: int, status: int, told: dict[str, Any]) -> None:
    service = Scripted()
    service.facts = {"workers": 2, "workers_lost": lost}
    answer = client(service).get("/health")
    assert (answer.status_code, answer.json()) == (status, told)


class TestKey:
    def test_is_needed_for_all_but_health(self) -> None:
        guarded = client(key="a key of mine")
        for path in ("/v1/models", "/v1/models/whisper-1", "/metrics"):
            assert guarded.get(path).status_code == 401
        answer = post(guarded)
        assert answer.status_code == 401
        assert error(answer)["code"] == "invalid_api_key"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert guarded.get("/health").json() == {"status": "ok"}

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            ("Bearer a key of mine", 200),
            ("bearer a key of mine", 200),
            ("Bearer a key of min", 401),
            ("Bearer a key of mine2", 401),
            ("Bearer ", 401),
            ("Basic a key of mine", 401),
            ("a key of mine", 401),
        ],
    )
    def test_is_compared_whole(self, header: str, status: int) -> None:
        guarded = client(key="a key of mine")
        assert guarded.get("/v1/models", headers={"authorization": header}).status_code == status

    def test_is_not_read_after_a_file(self) -> None:
        service = Scripted()
        assert post(client(service, key="a key of mine")).status_code == 401
        assert service.got == []


class TestOtherRoutes:
    def test_models(self) -> None:
        listed = client().get("/v1/models").json()
        names = ["whisper_tiny_en", "openai/whisper_tiny_en", "whisper-1"]
        assert [each["id"] for each in listed["data"]] == names
        assert {each["root"] for each in listed["data"]} == {"whisper_tiny_en"}
        for name in names:
            assert client().get(f"/v1/models/{name}").json()["id"] == name
        assert error(client().get("/v1/models/gpt"))["code"] == "model_not_found"

    def test_unknown_ones(self) -> None:
        answer = client().post("/v1/audio/translations")
        assert answer.status_code == 404
        assert error(answer)["message"] == "Not Found: POST /v1/audio/translations."
        answer = client().get(URL)
        assert answer.status_code == 405
        assert error(answer)["code"] == "method_not_allowed"


def families(asking: TestClient) -> dict[str, Any]:
    text = asking.get("/metrics").text
    return {family.name: family for family in text_string_to_metric_families(text)}


def counts(asking: TestClient) -> dict[str, float]:
    samples = families(asking)["asr_scaling_requests"].samples
    return {s.labels["status"]: s.value for s in samples if s.name.endswith("_total")}


class TestMetrics:
    def test_tell_what_happened(self) -> None:
        shared = iter(((0, 2), (0, 2), (1, 1)))

        def script(utterance: Utterance) -> Reply:
            call, together = next(shared)
            return reply(utterance, call=call, shared=together)

        asking = client(Scripted(script))
        for _ in range(3):
            assert post(asking).status_code == 200
        post(asking, prompt="no")
        post(asking, model="no")
        assert counts(asking) == {"200": 3, "400": 1, "404": 1}
        found = families(asking)
        values = {s.name: s.value for f in found.values() for s in f.samples if not s.labels}
        assert values["asr_scaling_request_seconds_count"] == 5
        assert values["asr_scaling_queue_seconds_count"] == 3
        assert values["asr_scaling_call_requests_count"] == 2
        assert values["asr_scaling_call_requests_sum"] == 3
        assert values["asr_scaling_audio_seconds_total"] == pytest.approx(3 * 5.14)
        assert values["asr_scaling_requests_in_flight"] == 0
        assert values["process_resident_memory_bytes"] > 1e7
        (build,) = found["asr_scaling_build_info"].samples
        assert build.labels == {
            "version": "0.1",
            "model": "whisper_tiny_en",
            "system": "plain fake",
            "serving": "scripted",
        }

    def test_of_two_servers_are_apart(self) -> None:
        one, other = client(), client()
        post(one)
        assert counts(one) == {"200": 1}
        assert counts(other) == {}


async def posted(asking: httpx2.AsyncClient) -> httpx2.Response:
    return await asking.post(URL, files={"file": ("a.flac", DEMO.read_bytes())})


def asynchronously(
    service: Service, work: Callable[[httpx2.AsyncClient], Any], **options: Any
) -> None:
    """Run ``work`` with a client of a server in this loop."""

    async def run() -> None:
        api = make_api(service, **options)
        transport = httpx2.ASGITransport(api.app())
        async with httpx2.AsyncClient(transport=transport, base_url="http://here") as asking:
            await work(asking)
        api.close()

    asyncio.run(run())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.005)


class TestAtOnce:
    def test_more_than_its_requests_are_turned_away_and_come_again(self) -> None:
        service = Held()

        async def work(asking: httpx2.AsyncClient) -> None:
            first = [asyncio.ensure_future(posted(asking)) for _ in range(2)]
            await until(lambda: len(service.waiting) == 2)
            turned_away = await posted(asking)
            assert turned_away.status_code == 503
            assert turned_away.headers["retry-after"] == "1"
            assert error(turned_away)["code"] == "overloaded"
            service.release()
            assert [answer.status_code for answer in await asyncio.gather(*first)] == [200, 200]
            again = asyncio.ensure_future(posted(asking))
            await until(lambda: len(service.waiting) == 1)
            service.release()
            assert (await again).status_code == 200

        asynchronously(service, work, limits=Limits(requests=2))

    def test_more_audio_than_four_times_the_longest_is_turned_away(self) -> None:
        service = Held()

        async def work(asking: httpx2.AsyncClient) -> None:
            first = [asyncio.ensure_future(posted(asking)) for _ in range(4)]
            await until(lambda: len(service.waiting) == 4)
            turned_away = await posted(asking)
            assert turned_away.status_code == 503
            assert "no room for more audio" in error(turned_away)["message"]
            service.release()
            await asyncio.gather(*first)

        asynchronously(service, work, limits=Limits(audio_s=6.0))

    def test_others_are_answered_while_a_file_is_decoded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, go_on, decode = threading.Event(), threading.Event(), api_module.decode

        def slow(*arguments: Any, **options: Any) -> Any:
            begun.set()
            assert go_on.wait(30)
            return decode(*arguments, **options)

        monkeypatch.setattr(api_module, "decode", slow)

        async def work(asking: httpx2.AsyncClient) -> None:
            slowly = asyncio.ensure_future(posted(asking))
            await until(begun.is_set)
            assert (await asking.get("/health")).status_code == 200
            go_on.set()
            assert (await slowly).status_code == 200

        asynchronously(Scripted(), work)

    def test_in_flight_is_counted(self) -> None:
        service = Held()

        async def work(asking: httpx2.AsyncClient) -> None:
            waiting = asyncio.ensure_future(posted(asking))
            await until(lambda: len(service.waiting) == 1)
            text = (await asking.get("/metrics")).text
            assert "asr_scaling_requests_in_flight 1.0" in text
            service.release()
            await waiting

        asynchronously(service, work)
