"""One service under one load after another, and what is kept of them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from asr_scaling.core.cautions import caution
from asr_scaling.core.load_point import LoadPoint
from asr_scaling.core.option_checks import choice_name
from asr_scaling.core.ports import Meter, Served, Service, Session
from asr_scaling.core.record import Findings
from asr_scaling.core.workload import Utterance
from asr_scaling.errors import EngineError
from asr_scaling.load.arrivals import Schedule
from asr_scaling.load.bound import Bound
from asr_scaling.load.drive import Limits, drive
from asr_scaling.load.load_figures import Load
from asr_scaling.load.looks import watched
from asr_scaling.load.request_file import NAME, write_requests
from asr_scaling.load.texts import Texts

_CLOSING_S = 60.0
"""Seconds that a service may take to close; after that it is left alone."""


@dataclass
class Loads:
    """A service that is started when the block begins and closed when it ends.

    late_s: how late the generator may be at its 99th percentile.
    bound: what loads are to keep; None without one.
    normaliser: what is done to texts before their words are compared.
    points: the loads so far.
    """

    session: Session
    late_s: float
    bound: Bound | None
    normaliser: str
    points: list[LoadPoint] = field(default_factory=list)
    _service: Service | None = None
    _facts: Mapping[str, Any] = field(default_factory=dict)
    _left: str = ""

    def __enter__(self) -> Self:
        session = self.session
        if session.engine is None:
            raise EngineError("No engine is known that could load the system again.")
        served = Served(session.model, session.engine, session.device, session.system)
        session.progress.stage("service")
        self._service = session.serving.start(served, _warm(session))
        return self

    def __exit__(self, *error: object) -> None:
        service, self._service = self._service, None
        if service is None:
            return
        self._facts = dict(service.facts)
        closing = threading.Thread(target=service.close, name="closing service", daemon=True)
        closing.start()
        closing.join(_CLOSING_S)
        if closing.is_alive():
            self._left = f"the service did not close within {_CLOSING_S:g} s and was left alone"

    def run(self, schedule: Schedule, limits: Limits) -> Load:
        """Drive one load to its end and keep its requests."""
        session = self.session
        assert self._service is not None, "the service is started by the block"
        with watched(session.device, self._meter()) as looks:
            driven = drive(self._service, schedule, limits, session.progress.advance)
        load = Load(driven, looks, self._texts(), self.late_s, self.bound)
        write_requests(session.folder, len(self.points), load)
        return load

    def findings(self, more: Findings) -> Findings:
        """``more`` with the loads, their file and what the service said of itself."""
        name = choice_name(self.session.serving)
        left = (caution("SystemNote", note=self._left),) if self._left else ()
        return replace(
            more,
            loads=tuple(self.points),
            artifacts=(NAME,) if self.points else (),
            tags={"serving": name, **more.tags},
            cautions=(*more.cautions, *left),
            serving={"name": name, **self._facts},
        )

    def _meter(self) -> Meter | None:
        watches = self.session.watches.values()
        return next((watch for watch in watches if isinstance(watch, Meter)), None)

    def _texts(self) -> Texts:
        session = self.session
        random = session.system.facts.random
        return Texts(
            session.workload.utterances,
            session.hypotheses,
            self.normaliser,
            session.model.language,
            "the weights are random, so the texts mean nothing" if random else "",
        )


def _warm(session: Session) -> tuple[Utterance, ...]:
    """What each worker transcribes first: the longest utterance, the median one, the shortest."""
    by_length = sorted(session.workload.utterances, key=lambda u: u.duration_s)
    chosen = (by_length[-1], by_length[len(by_length) // 2], by_length[0])
    return tuple({utterance.id: utterance for utterance in chosen}.values())
