"""The file of every request of every load on a service: ``requests.csv.gz`` in a point's folder."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

from asr_scaling.core.option_checks import writable
from asr_scaling.errors import one_line
from asr_scaling.load.load_figures import Load
from asr_scaling.util.redact import redact

NAME = "requests.csv.gz"
_HEADER = (
    "load",
    "arrivals",
    "offered_per_s",
    "clients",
    "request",
    "counted",
    "utterance",
    "audio_s",
    "due_s",
    "fired_s",
    "submitted_s",
    "begun_s",
    "done_s",
    "status",
    "worker",
    "call",
    "shared",
    "processed_s",
    "text",
    "reason",
)
"""Times are seconds from the start of the load's schedule."""


def write_requests(folder: Path, number: int, load: Load) -> None:
    """Add the requests of load ``number``, from 0, to the file; the first one begins it.

    Raises ConfigError when it can't be written.
    """
    driven = load.driven
    schedule = driven.schedule
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if not number:
        writer.writerow(_HEADER)
    for request in driven.requests:
        reply = request.reply
        times = (request.due_s, request.fired_s, request.submitted_s)
        answer = (reply.begun_s, reply.done_s) if reply else (None, None)
        told = (reply.worker, reply.call, reply.shared, reply.audio_s) if reply else (None,) * 4
        said = (reply.text, one_line(redact(reply.reason))) if reply else ("", "")
        writer.writerow(
            (
                number,
                schedule.arrivals,
                schedule.offered_per_s,
                schedule.clients,
                request.number,
                int(request.number >= load.cut),
                request.utterance.id,
                request.utterance.duration_s,
                *(None if t is None else round(t - driven.start_s, 6) for t in (*times, *answer)),
                request.status,
                *told,
                *said,
            )
        )
    data = gzip.compress(text.getvalue().encode("utf-8", "backslashreplace"), mtime=0)
    path = folder / NAME
    mode = "ab" if number else "wb"
    with writable(path, "make room, or choose another folder"), path.open(mode) as file:
        file.write(data)
