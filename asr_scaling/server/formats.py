"""A text in the forms that OpenAI's API has: JSON, plain, and subtitles."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from asr_scaling.core.turns import Turn

FORMATS = ("json", "text", "verbose_json", "srt", "vtt")


@dataclass(frozen=True)
class Heard:
    """What was heard in an audio file.

    duration_s: seconds of audio.
    language: name of its language, as "english"; None where nobody tells it.
    turns: what was said when and by whom; empty where the system does not tell.
    """

    text: str
    duration_s: float
    language: str | None = None
    turns: Sequence[Turn] = ()

    @property
    def segments(self) -> list[Turn]:
        """The turns that have a text; without any, the whole audio as one segment."""
        told = [turn for turn in self.turns if turn.text.strip()]
        if told or not self.text.strip():
            return told
        return [Turn(0.0, self.duration_s, text=self.text)]


def rendered(heard: Heard, form: str) -> Response:
    """``heard`` in one of ``FORMATS``."""
    if form == "text":
        return PlainTextResponse(f"{heard.text.strip()}\n")
    if form == "srt":
        return PlainTextResponse("".join(_srt(heard.segments)))
    if form == "vtt":
        return PlainTextResponse("WEBVTT\n\n" + "".join(_vtt(heard.segments)))
    return JSONResponse(_brief(heard) if form == "json" else _verbose(heard))


def _brief(heard: Heard) -> dict[str, Any]:
    usage = {"type": "duration", "seconds": round(heard.duration_s, 3)}
    return {"text": heard.text.strip(), "usage": usage}


def _verbose(heard: Heard) -> dict[str, Any]:
    segments = [_segment(number, turn) for number, turn in enumerate(heard.segments)]
    facts = {"task": "transcribe", "language": heard.language}
    return {
        **facts,
        "duration": round(heard.duration_s, 3),
        **_brief(heard),
        "segments": segments,
    }


def _segment(number: int, turn: Turn) -> dict[str, Any]:
    """A segment with every key that OpenAI's has; what no system tells is null."""
    text = turn.text.strip()
    whole = text.encode("utf-8", "replace")
    return {
        "id": number,
        "seek": 0,
        "start": round(turn.start_s, 3),
        "end": round(turn.end_s, 3),
        "text": text,
        "tokens": [],
        "temperature": None,
        "avg_logprob": None,
        "compression_ratio": len(whole) / len(zlib.compress(whole)),
        "no_speech_prob": None,
        **({"speaker": turn.speaker} if turn.speaker else {}),
    }


def _srt(segments: Sequence[Turn]) -> Iterator[str]:
    for number, turn in enumerate(segments, 1):
        says = f"{_line(turn.speaker)}: " if turn.speaker else ""
        begin, end = _time(turn.start_s, ","), _time(turn.end_s, ",")
        yield f"{number}\n{begin} --> {end}\n{says}{_line(turn.text)}\n\n"


def _vtt(segments: Sequence[Turn]) -> Iterator[str]:
    """Cues of WebVTT (https://www.w3.org/TR/webvtt1), in which < and & begin something else."""
    for turn in segments:
        speaker = _escaped(turn.speaker or "").replace("&gt;", "")
        says = f"<v {speaker}>" if speaker else ""
        begin, end = _time(turn.start_s, "."), _time(turn.end_s, ".")
        yield f"{begin} --> {end}\n{says}{_escaped(turn.text)}\n\n"


def _escaped(text: str) -> str:
    line = _line(text).replace("&", "&amp;")
    return line.replace("<", "&lt;").replace(">", "&gt;")


def _line(text: str) -> str:
    """``text`` in one line, in which nothing looks like the times of a cue."""
    return " ".join(text.split()).replace("-->", "->")


def _time(seconds: float, point: str) -> str:
    """ "00:01:02,345"."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"
