"""Processor time by module, of threads that really compute."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from asr_scaling.machine.core_watch import CoreUse, _stretches, watched_cores
from asr_scaling.machine.spend import spend
from asr_scaling.machine.thread_owners import OTHERS, ThreadOwners, thread_times

pytestmark = pytest.mark.skipif(not thread_times(), reason="no /proc/self/task here")


def test_a_thread_that_owns_up_is_counted_for_its_module():
    owners = ThreadOwners()
    with ThreadPoolExecutor(1, initializer=lambda: owners.own("vad")) as pool:
        pool.submit(spend, 0.0, "cpu").result()
        before = thread_times()
        pool.submit(spend, 0.05, "cpu").result()
        used = owners.used(before, thread_times())
    assert used["vad"] == pytest.approx(0.05, abs=0.01)


def test_a_new_thread_works_for_the_module_that_worked_when_it_came():
    owners, stop, go = ThreadOwners(), threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        spend(0.05, "cpu")
        stop.wait()

    thread = threading.Thread(target=work)
    thread.start()
    owners.worked("speaker")
    before = thread_times()
    go.set()
    time.sleep(0.2)
    owners.worked("recognition")
    used = owners.used(before, thread_times())
    stop.set()
    thread.join()
    assert used["speaker"] == pytest.approx(0.05, abs=0.01)
    assert used.get("recognition", 0.0) < 0.01


def test_an_older_thread_works_for_the_module_that_it_worked_most_for():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(spend, 0.0, "cpu").result()
        owners = ThreadOwners()
        for module, seconds in (("vad", 0.01), ("speaker", 0.05), ("vad", 0.01)):
            owners.forget_idle()
            pool.submit(spend, seconds, "cpu").result()
            owners.worked(module)
        owners.own(OTHERS)
        owners.settle()
        before = thread_times()
        pool.submit(spend, 0.03, "cpu").result()
        used = owners.used(before, thread_times())
    assert used["speaker"] == pytest.approx(0.03, abs=0.01)


def test_neighbouring_looks_become_one_stretch():
    looks = [
        (0.0, 1.0, {0: {"vad": 0.9}, 1: {"speaker": 0.1}}),
        (1.0, 2.0, {0: {"vad": 0.8, "speaker": 0.1}}),
        (2.0, 3.0, {0: {"speaker": 0.9}}),
    ]
    assert _stretches(looks) == [CoreUse(0, "vad", 0.0, 2.0), CoreUse(0, "speaker", 2.0, 3.0)]


def test_the_cores_of_a_working_thread_are_seen():
    owners = ThreadOwners()
    with (
        ThreadPoolExecutor(1, initializer=lambda: owners.own("vad")) as pool,
        watched_cores(owners, "recognition") as cores,
    ):
        pool.submit(spend, 0.4, "cpu").result()
    assert sum(use.end_s - use.start_s for use in cores if use.module == "vad") > 0.15
