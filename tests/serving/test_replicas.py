"""Processes of their own: each test waits for them to start, 1 to 2 seconds."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest
from support.fakes import ScriptedSystem, utterance, utterances
from support.held_systems import (
    HeldEngine,
    HeldProcess,
    Replies,
    gone,
    served,
    serving_threads,
    texts,
    until,
)

from asr_scaling.core.workload import AudioBatch
from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError, DeviceError, EngineError, OutOfMemoryError
from asr_scaling.machine.threads import ALL_CORES
from asr_scaling.serving import replicas
from asr_scaling.serving._replica import Sent
from asr_scaling.serving.replicas import Replicas

FEW = max(1, min(2, len(ALL_CORES)))
"""Processes; a machine with one core has one."""


class Unused(ScriptedSystem):
    def __init__(self) -> None:
        super().__init__(lambda batch, probe: pytest.fail("the caller's system was called"))


@pytest.fixture
def start(tmp_path):
    """Starts services and closes them; afterwards none of their processes is left."""
    services = []

    def begin(engine=None, warm=(), device=None, **options):
        given = served(Unused(), engine or HeldEngine(tmp_path), device or Cpu(threads=1))
        service = Replicas(**({"workers": FEW, "threads": 1} | options)).start(given, warm)
        services.append(service)
        return service

    yield begin
    (tmp_path / "go").touch()
    for service in services:
        service.close()
        service.close()
    assert not psutil.Process().children()
    assert not serving_threads()


def go(folder: Path) -> None:
    (folder / "go").touch()


def test_each_has_its_own_cores_and_threads_and_takes_what_came_first(start, tmp_path):
    replies = Replies()
    service = start()
    replies.submit(service, *utterances([1.0] * 4))
    until(lambda: len(HeldProcess.begun(tmp_path)) == FEW)
    assert {key for _, key in HeldProcess.begun(tmp_path)} == {f"u{i}" for i in range(FEW)}
    go(tmp_path)
    found = replies.wait(4)
    pids = {one.text.split()[0] for one in found}
    assert len(pids) == FEW
    assert str(os.getpid()) not in pids
    for one in found:
        threads, rest = one.text.split(" ", 2)[1:]
        assert threads == "1"
        assert rest == f"[{ALL_CORES[one.worker]}] [False]"  # its core; its audio is read-only
        assert one.shared == 1
        assert one.begun_s < one.done_s
    assert service.facts["cores"] == [[core] for core in ALL_CORES[:FEW]]
    assert (service.facts["workers"], service.facts["restarts"]) == (FEW, 0)


def test_texts_are_those_of_the_system(start):
    replies, some = Replies(), utterances([1.0, 2.0, 1.5])
    service = start(Fake(), warm=some[:1])
    replies.submit(service, *some, *some)
    assert sorted(texts(replies.wait(6))) == [f"text {i // 2}" for i in range(6)]


def test_requests_share_calls_where_they_may(start):
    replies = Replies()
    service = start(Fake(), workers=1, max_batch=3, max_wait_s=3600)
    replies.submit(service, *utterances([1.0] * 3))
    assert [(one.shared, one.call, one.text) for one in replies.wait(3)] == [
        (3, 0, f"text {i}") for i in range(3)
    ]


def test_what_a_killed_process_transcribed_is_answered_by_another(start, tmp_path):
    replies = Replies()
    service = start()
    replies.submit(service, *utterances([1.0] * (FEW + 1)))
    until(lambda: len(HeldProcess.begun(tmp_path)) == FEW)
    killed, key = HeldProcess.begun(tmp_path)[0]
    os.kill(killed, signal.SIGKILL)
    go(tmp_path)
    found = replies.wait(FEW + 1)
    assert [one.status for one in found] == ["ok"] * (FEW + 1)
    assert replies.of(key).text.split()[0] != str(killed)
    until(lambda: service.facts["restarts"] == 1)
    replies.submit(service, *utterances([1.0] * 9)[FEW + 1 :])
    assert {one.status for one in replies.wait(9)} == {"ok"}
    assert service.facts["workers_lost"] == 0


def test_an_idle_process_that_is_killed_is_replaced_before_the_next_request(start, tmp_path):
    go(tmp_path)
    replies = Replies()
    service = start(workers=1)
    (child,) = psutil.Process().children()
    child.kill()
    until(lambda: service.facts["restarts"] == 1)
    replies.submit(service, utterance(1.0))
    assert replies.wait(1)[0].status == "ok"
    assert len(HeldProcess.begun(tmp_path)) == 1


def test_a_request_that_ends_two_processes_fails_and_those_beside_it_do_not(start, tmp_path):
    go(tmp_path)
    replies = Replies()
    service = start(workers=1, max_batch=3, max_wait_s=3600)
    replies.submit(service, utterance(1.0, "deadly"), *utterances([1.0, 1.0]))
    found = replies.wait(3)
    assert [one.status for one in found] == ["failed", "ok", "ok"]
    assert found[0].reason == (
        "Two workers were lost while they transcribed it: the worker's process ended with status 7 "
        "(found no way on)"
    )
    assert [key for _, key in HeldProcess.begun(tmp_path)] == ["deadly", "deadly", "u0", "u1"]


def test_errors_fail_their_requests_and_the_process_goes_on(start, tmp_path):
    go(tmp_path)
    replies = Replies()
    service = start(workers=1)
    replies.submit(service, *(utterance(1.0, key) for key in ("broken", "full", "fine")))
    broken, full, fine = replies.wait(3)
    assert (broken.status, broken.reason) == ("failed", "ValueError: no words")
    assert (full.status, full.reason) == ("failed", "MemoryError")
    assert (fine.status, fine.call) == ("ok", 2)
    assert len({pid for pid, _ in HeldProcess.begun(tmp_path)}) == 1


def test_without_any_process_left_nothing_waits_in_vain(start, tmp_path):
    replies = Replies()
    service = start(workers=1)
    (tmp_path / "unloadable").touch()
    replies.submit(service, *utterances([1.0, 1.0]))
    until(lambda: HeldProcess.begun(tmp_path))
    os.kill(HeldProcess.begun(tmp_path)[0][0], signal.SIGKILL)
    replies.wait(2)
    replies.submit(service, utterance(1.0, "late"))
    found = replies.wait(3)
    assert {one.reason for one in found} == {"No worker is left: The weights are gone."}
    assert service.facts["workers_lost"] == 1


def test_a_system_that_cannot_be_loaded_in_another_process(start, tmp_path):
    (tmp_path / "unloadable").touch()
    with pytest.raises(EngineError, match=r"^The weights are gone\.$"):
        start()


def test_a_process_that_ends_while_it_loads(start):
    with pytest.raises(OutOfMemoryError, match=r"could not be started: .*ended with SIGKILL"):
        start(KilledEngine(), workers=1)


class KilledEngine:
    def check(self, model):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_system_that_cannot_be_sent(start):
    with pytest.raises(EngineError, match=r"can't be handed to another process .*serving=direct"):
        start(Fake(sleep=lambda seconds: None))


def test_closing_answers_what_is_in_progress(start, tmp_path):
    replies = Replies()
    service = start(workers=1)
    pid = psutil.Process().children()[0].pid
    replies.submit(service, *utterances([1.0, 1.0]))
    until(lambda: HeldProcess.begun(tmp_path))
    closing = Thread(target=service.close)
    closing.start()
    assert replies.wait(1) == [replies.of("u1")]
    assert replies.of("u1").reason == "The service is closed."
    go(tmp_path)
    closing.join()
    assert replies.of("u0").status == "ok"
    assert gone(pid)


def test_audio_is_sent_once_and_what_was_called_longest_ago_is_dropped():
    a, b, c = utterances([1.0, 1.0, 1.0])
    sent = Sent(most_bytes=2 * a.audio.nbytes)
    first = sent.ask(AudioBatch((a, b)))
    assert first.new == {id(a): a, id(b): b}
    again = sent.ask(AudioBatch((a,)))
    assert (again.wanted, again.new, again.dropped) == ((id(a),), {}, ())
    other = sent.ask(AudioBatch((c,)))
    assert (other.new, other.dropped) == ({id(c): c}, (id(b),))
    assert sent.ask(AudioBatch((b, a))).dropped == (id(c),)


def test_a_call_with_more_audio_than_is_kept_drops_nothing_of_its_own():
    a, b = utterances([1.0, 1.0])
    ask = Sent(most_bytes=1).ask(AudioBatch((a, b, a)))
    assert (ask.wanted, len(ask.new), ask.dropped) == ((id(a), id(b), id(a)), 2, ())


def test_more_processes_than_cores(monkeypatch):
    monkeypatch.setattr(replicas, "ALL_CORES", (0, 1))
    with pytest.raises(DeviceError, match=r"workers=3 with threads=1 need 3 cores.* may use 2"):
        Replicas(workers=3).start(served(Unused()), ())
    with pytest.raises(DeviceError, match=r"workers=2 with threads=2 need 4 cores"):
        Replicas(threads=2).start(served(Unused()), ())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, r"serving\.workers must be at least 1; got 0"),
        ({"threads": 0}, r"serving\.threads must be at least 1, or null; got 0"),
        ({"max_batch": 0}, r"serving\.max_batch must be at least 1; got 0"),
    ],
)
def test_options(options, said):
    with pytest.raises(ConfigError, match=said):
        Replicas(**options)


def test_mapped_audio_travels_too(start, tmp_path):
    path = tmp_path / "audio"
    np.arange(16000, dtype=np.float32).tofile(path)
    mapped = utterance(1.0)
    object.__setattr__(mapped, "audio", np.memmap(path, np.float32, "r"))
    replies = Replies()
    service = start(Fake(), workers=1)
    replies.submit(service, mapped)
    assert replies.wait(1)[0].audio_s == 1.0
