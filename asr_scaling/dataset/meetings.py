"""Recordings of several speakers, minutes or hours long, put together from the demo speech."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from asr_scaling.core.language import language_code
from asr_scaling.core.option_checks import must_work, readable
from asr_scaling.core.turns import speakers_of, speech_of, text_of
from asr_scaling.core.workload import SAMPLE_RATE_HZ, DatasetInfo, Utterance, Workload, digest
from asr_scaling.dataset import _cuts
from asr_scaling.dataset._audio import MAX_S
from asr_scaling.dataset._demo_speech import LICENCE, SOURCE, VOICES, demo_entries, is_clean
from asr_scaling.dataset._meeting_plan import Placed, Plan, Sentence, random_of
from asr_scaling.dataset._recording_store import Recording, put, recording
from asr_scaling.dataset._workload import check_limit, natural
from asr_scaling.dataset.fragments import Shape, is_number, is_whole

_BLOCK = 1 << 18
"""Samples that are mixed at once, 16 s. Another number would give other noise."""
_STEPS = 2**15
"""Levels of 16 bits to each side of 0."""


@dataclass(frozen=True, kw_only=True)
class Meetings:
    """Synthetic meetings with exact turns: who says what when.

    Sentences of the demo's voices follow one another; some begin before the last one has ended.
    They repeat once every voice has said all of its own. WER and DER on them say nothing about
    people. Recordings are kept in the cache, 3.8 MB a minute, and mapped from there.

    name: what records call them.
    minutes: length of every recording.
    recordings: how many there are.
    speakers: voices in each of them, up to 3.
    overlap: of the time in which somebody speaks, the share in which two speak at once; what is
        made may differ from it by a second or two in all, and is recorded.
    pause_s: mean seconds of the pauses between turns; every pause lasts at least half of it.
    snr_db: mean power of the speech over that of the white noise underneath, in dB; None for none.
    seed: another one gives other recordings.
    language: what is spoken, a code such as "en".
    length_s: None; there are no fragments of meetings.

    Raises ConfigError at once for options that can't work.
    """

    name: str = "meetings"
    minutes: float = 5
    recordings: int = 2
    speakers: int = 3
    overlap: float = 0.05
    pause_s: float = 0.6
    snr_db: float | None = 25
    seed: int = 42
    language: str | None = "en"
    length_s: float | None = None

    def __post_init__(self) -> None:
        _check("minutes", self.minutes, 1, MAX_S // 60)
        _check("overlap", self.overlap, 0, 0.4)
        _check("pause_s", self.pause_s, 0, 60)
        if self.snr_db is not None:
            _check("snr_db", self.snr_db, 0, 100, ", or null for no noise")
        many = is_whole(self.recordings, least=1) and self.recordings <= 1000
        must_work("dataset.recordings", self.recordings, many, "give a whole number from 1 to 1000")
        voices = is_whole(self.speakers, least=1) and self.speakers <= VOICES
        must_work(
            "dataset.speakers", self.speakers, voices, f"give a whole number from 1 to {VOICES}"
        )
        alone = self.speakers == 1 and self.overlap > 0
        remedy = "one speaker can't overlap: set dataset.overlap=0"
        must_work("dataset.speakers", self.speakers, not alone, remedy)
        whole = is_whole(self.seed, least=0)
        must_work("dataset.seed", self.seed, whole, "give a whole number from 0 upwards")
        known = self.language is None or language_code(self.language) is not None
        must_work("dataset.language", self.language, known, "give a code such as en, de or yue")
        remedy = "meetings have no fragments: leave it null, and set dataset.minutes"
        must_work("dataset.length_s", self.length_s, self.length_s is None, remedy)

    def load(self, limit: int | None) -> Workload:
        """At most ``limit`` recordings, the same at every call.

        Those of a smaller limit are the first of a larger one.
        Raises DataError when they can't be kept in the cache.
        """
        check_limit(limit)
        voices = _voices(None if self.language is None else language_code(self.language))
        cached: list[bool] = []

        def recordings(_: Counter[str]) -> Iterator[Utterance]:
            for number in range(self.recordings):
                utterance, kept = self._recording(number, voices)
                cached.append(kept.cached)
                yield utterance

        origin = DatasetInfo(self.name, SOURCE, LICENCE, synthetic=True, available=self.recordings)
        workload = natural(recordings, origin, Shape(seed=self.seed), limit)
        made = {utterance.id: self._made(utterance) for utterance in workload.utterances}
        return replace(workload, info=replace(workload.info, made=made, cached=all(cached)))

    def _recording(
        self, number: int, voices: Mapping[str, Sequence[Sentence]]
    ) -> tuple[Utterance, Recording]:
        samples, seed = round(self.minutes * 60 * SAMPLE_RATE_HZ), f"{self.seed}:{number}"
        plan = Plan(samples, self.speakers, self.overlap, self.pause_s)
        placed = plan.turns(voices, seed)
        sentences = {each.sentence.utterance.id: each.sentence.utterance for each in placed}
        identity = {
            "kind": "meetings",
            "speech": digest(sentences.values()),
            "turns": [[each.sentence.utterance.id, each.first] for each in placed],
            "samples": samples,
            "noise": None if self.snr_db is None else [seed, float(self.snr_db)],
        }

        def write(file: BinaryIO) -> dict[str, Any]:
            put(file, _mixed(placed, samples, self.snr_db, seed))
            return {}

        what = "Recordings can't be kept in the cache"
        with readable(what, "free space there, or set ASR_SCALING_CACHE to a folder with room"):
            kept = recording(identity, write)
        turns = tuple(each.turn for each in placed)
        utterance = Utterance(
            id=f"{self.name}-{self.minutes:g}min-{number:03d}",
            audio=kept.samples,
            reference=text_of(turns),
            parts=tuple(each.sentence.utterance.id for each in placed),
            language=placed[0].sentence.utterance.language,
            turns=turns,
        )
        return utterance, kept

    def _made(self, utterance: Utterance) -> dict[str, Any]:
        """What came out in a recording; times are in seconds."""
        turns, stretches = utterance.turns, speech_of(utterance.turns)
        spoken_s = sum(end_s - start_s for start_s, end_s in stretches)
        overlapped_s = sum(turn.duration_s for turn in turns) - spoken_s
        pauses = [after[0] - before[1] for before, after in pairwise(stretches)]
        return {
            "speakers": len(speakers_of(turns)),
            "turns": len(turns),
            "sentences": len(set(utterance.parts)),
            "spoken_s": round(spoken_s, 3),
            "overlapped_s": round(overlapped_s, 3),
            "overlap": round(overlapped_s / spoken_s, 4),
            "pause_s": round(sum(pauses) / len(pauses), 3) if pauses else None,
            "snr_db": self.snr_db,
        }


def _check(name: str, value: float, least: float, most: float, more: str = "") -> None:
    """Raises ConfigError unless an option is a number from ``least`` to ``most``."""
    fits = is_number(value) and least <= value <= most
    must_work(f"dataset.{name}", value, fits, f"give a number from {least:g} to {most:g}{more}")


def _voices(language: str | None) -> dict[str, list[Sentence]]:
    """Voice → its sentences without noise."""
    entries = [entry for entry in demo_entries() if is_clean(entry)]
    voices: dict[str, list[Sentence]] = {}
    for utterance in _cuts.utterances(entries, MAX_S, language):
        voices.setdefault(utterance.speaker or "", []).append(Sentence.of(utterance))
    return voices


def _mixed(
    placed: Sequence[Placed], samples: int, snr_db: float | None, seed: str
) -> Iterator[NDArray[np.float32]]:
    """The samples of a recording, block by block.

    They are rounded to 16 bits, so that no machine's last digit shows in a digest.
    """
    power = sum(p.sentence.energy for p in placed) / sum(p.sentence.samples for p in placed)
    level = 0.0 if snr_db is None else float(np.sqrt(power / 10 ** (snr_db / 10)))
    random = random_of(f"{seed}:noise")
    for start in range(0, samples, _BLOCK):
        block = random.standard_normal(_BLOCK) * level if level else np.zeros(_BLOCK)
        for each in placed:
            audio = each.sentence.utterance.audio
            begin, end = max(each.first, start), min(each.first + audio.size, start + _BLOCK)
            if begin < end:
                block[begin - start : end - start] += audio[begin - each.first : end - each.first]
        rounded = np.clip(np.round(block * _STEPS), -_STEPS, _STEPS - 1) / _STEPS
        yield rounded[: samples - start].astype(np.float32)
