"""Ray Serve for real, on a cluster of this machine that is started for one test and ended."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys

import psutil
import pytest
from support.fakes import utterance, utterances
from support.held_systems import (
    HeldEngine,
    HeldProcess,
    HeldSystem,
    Replies,
    served,
    serving_threads,
    until,
)

from asr_scaling.device.cpu import Cpu
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError, EngineError, MissingExtraError
from asr_scaling.machine.threads import ALL_CORES
from asr_scaling.serving.ray import RayServe

FEW = max(1, min(2, len(ALL_CORES)))


def ray_processes() -> list[str]:
    names = [one.name() for one in psutil.Process().children(recursive=True)]
    return [name for name in names if "ray" in name or "gcs" in name]


@pytest.fixture
def start(monkeypatch):
    """Starts services and closes them."""
    for module in ("ray", "aiohttp_cors"):
        if importlib.util.find_spec(module) is None:
            pytest.skip("needs the extra ray_serve")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    services = []

    def begin(given, warm=(), **options):
        services.append(RayServe(**options).start(given, warm))
        return services[-1]

    yield begin
    for service in services:
        service.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_replicas_answer_are_replaced_and_leave_nothing(start, tmp_path):
    replies = Replies()
    (tmp_path / "go").touch()
    given = served(HeldSystem(), HeldEngine(tmp_path), Cpu(threads=1))
    options = {"max_batch": 2, "max_wait_s": 2.0, "queue": 2}
    service = start(given, utterances([1.0]), workers=FEW, threads=1, **options)
    assert service.facts["workers"] == FEW
    assert [key for _, key in HeldProcess.begun(tmp_path)] == ["u0"] * FEW
    replies.submit(service, *utterances([1.0, 2.0]))
    for one in replies.wait(2):
        pid, rest = one.text.split(" ", 1)
        assert int(pid) != os.getpid()
        assert rest.startswith(f"1 [{ALL_CORES[one.worker]}] [False")
        assert one.begun_s < one.done_s
    replies.submit(service, utterance(1.0, "broken"))
    assert replies.wait(3)[2].reason == "ValueError: no words"

    (tmp_path / "go").unlink()
    (tmp_path / "begun").unlink()
    held = 4 * FEW  # as many as the replicas have at once
    more = utterances([1.0] * (held + 3))
    replies.submit(service, *more)
    refused = replies.wait(4)[3]
    assert (refused.status, refused.reason) == ("refused", f"{held + 2} requests wait already.")
    until(lambda: HeldProcess.begun(tmp_path))
    os.kill(HeldProcess.begun(tmp_path)[0][0], signal.SIGKILL)
    (tmp_path / "go").touch()
    later = replies.wait(3 + held + 3)[4:]
    assert {one.status for one in later} == {"ok"}
    assert max(one.shared for one in later) == 2

    service.close()
    service.close()
    replies.submit(service, utterance(1.0, "late"))
    assert replies.of("late").reason == "The service is closed."
    assert not serving_threads()
    until(lambda: not ray_processes())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_more_replicas_than_cores_and_systems_that_cannot_be_sent(start):
    given = served(HeldSystem(), Fake(sleep=lambda seconds: None))
    with pytest.raises(EngineError, match="can't be handed to another process"):
        start(given)
    with pytest.raises(EngineError, match=r"workers=99 with threads=1 need 99 cores"):
        start(served(HeldSystem()), workers=99, threads=1)
    until(lambda: not ray_processes())


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.serve", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asr-scaling\[ray_serve\]'"):
        RayServe().start(served(HeldSystem()), ())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, r"serving\.workers must be at least 1; got 0"),
        ({"threads": 0}, r"serving\.threads must be at least 1, or null; got 0"),
        ({"ongoing": 3, "max_batch": 4}, r"serving\.ongoing must be at least serving\.max_batch"),
        ({"queue": 0}, r"serving\.queue must be at least 1; got 0"),
    ],
)
def test_options(options, said):
    with pytest.raises(ConfigError, match=said):
        RayServe(**options)
