from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from asr_scaling.cascade.channel import Channel, ClosedError


def test_everything_comes_out_in_its_order_and_the_channel_ends():
    channel = Channel[int](2)

    def feed() -> None:
        for number in range(50):
            channel.put(number)
        channel.end()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(feed)
        assert list(channel) == list(range(50))
        done.result()


def test_what_waits_is_counted():
    channel = Channel[str](3)
    channel.put("a")
    channel.put("b")
    time.sleep(0.05)
    channel.end()
    assert list(channel) == ["a", "b"]
    assert 0.1 <= channel.wait_s < 5


def test_a_full_channel_makes_its_writer_wait_and_tells_it_when_nobody_reads_any_more():
    channel = Channel[int](1)
    channel.put(1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(channel.put, 2)
        time.sleep(0.02)
        assert not waiting.done()
        channel.abandon()
        with pytest.raises(ClosedError):
            waiting.result(timeout=5)
    assert list(channel) == []
