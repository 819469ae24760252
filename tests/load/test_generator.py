"""The process that keeps a schedule: on time, alone in it, and gone when its parent is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.fakes import utterances
from support.loads import load_of
from support.services import SleepingService

from asr_scaling.core.statistics import percentile
from asr_scaling.load import arrivals, generator_process
from asr_scaling.load.drive import Limits, drive
from asr_scaling.load.generator import SCHEDULING, Generator
from asr_scaling.load.load_figures import load_point
from asr_scaling.machine.environment import allowed_cores

SPEECH = utterances([1.0, 2.0])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    until = time.monotonic() + 5
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pid)


def test_fires_each_request_once_and_never_early():
    start = time.monotonic() + 0.05
    due = [start + i / 200 for i in range(60)]
    with Generator() as generator:
        fired = list(generator.fired(due))
    assert [number for number, _ in fired] == list(range(60))
    assert all(at >= due[number] for number, at in fired)
    assert generator.scheduling in SCHEDULING.values()


def test_imports_nothing_that_computes():
    """Its process has a fraction of what Python with this package has."""
    code = (
        "import runpy, sys; sys.argv = ['x', '1']; "
        f"runpy.run_path({generator_process.__file__!r}); "
        "print([name for name in ('asr_scaling', 'numpy', 'site', 'threading') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_is_overdue_is_fired_at_once_and_its_lateness_shows():
    begun = time.monotonic()
    due = [begun - 1.0, begun - 0.5]
    with Generator() as generator:
        fired = list(generator.fired(due))
    late = [at - due[number] for number, at in fired]
    assert late[0] > 1.0
    assert late[1] > 0.5


def test_ends_with_the_block():
    with Generator() as generator:
        pid = generator.pid
        assert alive(pid)
    assert gone(pid)


def test_stopping_ends_whoever_waits():
    with Generator() as generator:
        fired = generator.fired([time.monotonic() + 60])
        threading.Timer(0.1, generator.stop).start()
        assert list(fired) == []


def test_an_unstarted_generator_says_so():
    with pytest.raises(RuntimeError, match="with block"):
        print(Generator().pid)


def test_ends_when_its_parent_is_killed():
    code = (
        "import time, sys\n"
        "from asr_scaling.load.generator import Generator\n"
        "with Generator() as generator:\n"
        "    fired = generator.fired([time.monotonic() + 60])\n"
        "    import threading; threading.Thread(target=next, args=(fired,), daemon=True).start()\n"
        "    print(generator.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP on this system")
def test_a_pause_of_the_process_shows_in_its_lateness():
    generator = Generator()
    schedule = arrivals.constant(100.0, 120, SPEECH, 1)
    service = SleepingService(0.0)

    def pause() -> None:
        time.sleep(0.3)
        os.kill(generator.pid, signal.SIGSTOP)
        time.sleep(0.6)
        os.kill(generator.pid, signal.SIGCONT)

    pausing = threading.Thread(target=pause)
    threading.Timer(0.15, pausing.start).start()
    driven = drive(service, schedule, Limits(), generator=lambda: generator)
    pausing.join()
    service.close()
    late = [request.fired_s - request.due_s for request in driven.requests]
    assert len(driven.requests) == 120
    assert 0.4 < max(late) < 2
    assert max(request.latency_s for request in driven.requests) >= max(late)
    point = load_point(load_of(driven, "p50<2s"))
    assert point.verdict == "withheld"
    assert point.values["load/generator_late_max_s"] == pytest.approx(max(late))
    assert "load/latency_p50_s" in point.unavailable


def test_a_saturated_machine_is_on_time_or_said():
    """Twice as many processes as cores compute without a pause."""
    spinning = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
        for _ in range(2 * len(allowed_cores()))
    ]
    try:
        service = SleepingService(0.0)
        schedule = arrivals.constant(100.0, 100, SPEECH, 1)
        driven = drive(service, schedule, Limits())
        service.close()
    finally:
        for process in spinning:
            process.kill()
            process.wait()
    late = [request.fired_s - request.due_s for request in driven.requests]
    point = load_point(load_of(driven, "p50<2s"))
    assert len(driven.requests) == 100
    assert all(r.latency_s >= r.fired_s - r.due_s >= 0 for r in driven.requests)
    assert (point.verdict == "withheld") is (percentile(late, 99) > 0.002)
