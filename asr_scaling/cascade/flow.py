"""The order in which modules work: one after the other, or at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from asr_scaling.cascade.channel import Channel, ClosedError
from asr_scaling.cascade.lane import Lane
from asr_scaling.cascade.ledger import Ledger
from asr_scaling.cascade.segments import Cutter, Segment, whole
from asr_scaling.cascade.stages import Listener, Recogniser, Restorer, Said
from asr_scaling.core.module_use import PUNCTUATION, RECOGNITION, SPEAKER
from asr_scaling.core.ports import NullProbe, Probe
from asr_scaling.core.workload import AudioBatch

Group = list[Segment]


@dataclass
class Flow:
    """The modules of one call, each with the thread that it works in; None where there is none.

    Recognition works in the calling thread.
    """

    recogniser: Recogniser
    cutter: tuple[Cutter, Lane] | None
    restorer: tuple[Restorer, Lane] | None
    listener: tuple[Listener, Lane] | None
    ledger: Ledger

    def plain(self, batch: AudioBatch, probe: Probe) -> tuple[list[Said], list[str]]:
        """One module after the other: all segments, and the text of each as it is shown."""
        segments = self._segments(batch)
        said = self.recogniser.said(segments, probe, self.ledger)
        texts = [each.text for each in said]
        if self.restorer:
            restorer, lane = self.restorer
            texts = lane.run(restorer.restored, texts, self.ledger)
        if self.listener:
            listener, lane = self.listener
            lane.run(listener.hear, segments, self.ledger)
        return said, texts

    def _segments(self, batch: AudioBatch) -> Group:
        if self.cutter is None:
            return whole(batch)
        cutter, lane = self.cutter
        groups = lane.run(lambda: list(cutter.groups(batch, self.ledger)))
        return [segment for group in groups for segment in group]

    def overlapped(
        self, batch: AudioBatch, queue: int, waits: dict[str, float]
    ) -> tuple[list[Said], list[str]]:
        """The same with all modules at work at once; ``queue`` groups wait before each at most.

        The segments of one block are a group: batches are made within it.
        waits: module → seconds that its groups waited in the queue before it, written here.
        """
        recognise, listen = Channel[Group](queue), Channel[Group](queue)
        restore = Channel[list[str]](queue)
        channels: dict[str, Channel[Any]] = {
            RECOGNITION: recognise,
            SPEAKER: listen,
            PUNCTUATION: restore,
        }
        texts: list[str] = []
        running = self._begin(batch, recognise, listen, restore, texts)
        said: list[Said] = []
        try:
            for group in recognise:
                new = self.recogniser.said(group, NullProbe(), self.ledger)
                said += new
                if self.restorer:
                    restore.put([each.text for each in new])
            restore.end()
        except ClosedError:
            pass  # the module that failed says why, below
        except BaseException:
            _stop(*channels.values())
            raise
        for future in running:
            future.result()
        waits |= {name: channel.wait_s for name, channel in channels.items()}
        return said, texts if self.restorer else [each.text for each in said]

    def _begin(
        self,
        batch: AudioBatch,
        recognise: Channel[Group],
        listen: Channel[Group],
        restore: Channel[list[str]],
        texts: list[str],
    ) -> list[Future[None]]:
        """Set every module but recognition to work; what punctuation gives goes to ``texts``."""

        def feed(groups: Iterable[Group]) -> None:
            for group in groups:
                recognise.put(group)
                if self.listener:
                    listen.put(group)
            recognise.end()
            listen.end()

        def begin(lane: Lane, work: Callable[..., None], *given: Any) -> None:
            running.append(lane.begin(_guarded, partial(work, *given), channels))

        channels, running = (recognise, listen, restore), list[Future[None]]()
        if self.cutter:
            cutter, lane = self.cutter
            begin(lane, feed, cutter.groups(batch, self.ledger))
        else:
            feed([whole(batch)])
        if self.listener:
            listener, lane = self.listener
            begin(lane, _each, listen, lambda group: listener.hear(group, self.ledger))
        if self.restorer:
            restorer, lane = self.restorer
            restored = partial(restorer.restored, ledger=self.ledger)
            begin(lane, _each, restore, lambda new: texts.extend(restored(new)))
        return running


def _guarded(work: Callable[[], None], channels: tuple[Channel[Any], ...]) -> None:
    """``work``; where it fails, nobody waits for it any longer. Raises what it raises."""
    try:
        work()
    except ClosedError:
        return  # another module failed, and says why
    except BaseException:
        _stop(*channels)
        raise


def _stop(*channels: Channel[Any]) -> None:
    for channel in channels:
        channel.abandon()


def _each(channel: Channel[Any], take: Callable[[Any], None]) -> None:
    for item in channel:
        take(item)
