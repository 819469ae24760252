"""Files of every container and encoding, joined, cut and lied about: all of their audio, or one
sentence, or a caution. What went in is known, so the decoded length is compared with the truth.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import strategies as st
from support.audio_files import KINDS, Kind, made, speechlike, written
from support.fuzzing import cases, sentence

from asr_scaling.dataset._audio import decode
from asr_scaling.dataset.folder import Folder
from asr_scaling.errors import DataError

LONG_S, SHORT_S = 2.0, 0.7
JITTER_S = 0.03
"""A packet more or less, where a file was cut between two."""
PACKETS_S = 0.35
"""A live recording can end after any packet: so much may be missing from its share of the bytes."""
TAGS = [
    b"TAG" + b"x" * 125,
    bytes(600),
    b"APETAGEX" + b"\xd0\x07\0\0" + b" \0\0\0" + bytes(4) + bytes(4) + bytes(8),
    b"ID3\x03\0\0\0\0\x02\0" + b"\xff\xfb" * 128,
]
FIELDS = {
    b"data": (4, 4, "little"),
    b"SSND": (4, 4, "big"),
    b".snd": (8, 4, "big"),
    b"fLaC": (22, 4, "big"),
    b"Xing": (8, 4, "big"),
    b"Info": (8, 4, "big"),
    b"mdhd": (20, 4, "big"),
    b"stsz": (12, 4, "big"),
    b"mdat": (-4, 4, "big"),
    b"moof": (-4, 4, "big"),
}
"""Where a number that says how much there is stands after these letters: offset, bytes, order."""
LIES = [lambda _: 0, lambda n: n // 2, lambda n: 2 * n, lambda n: n + 100_000, lambda n: 2**32 - 1]


def seconds(data: bytes) -> tuple[float | None, tuple[str, ...]]:
    """How much of ``data`` was decoded, and its cautions; None where it was refused."""
    try:
        audio = decode(data, "the file")
    except DataError as error:
        sentence(error, "'the file'")
        return None, ()
    return audio.samples.size / 16_000, audio.doubts


def none_is_lost(data: bytes, truth_s: float, slack_s: float) -> None:
    """Decoded to its end, or refused, or with a caution."""
    got_s, doubts = seconds(data)
    assert got_s is None or doubts or got_s >= truth_s - slack_s, f"{got_s} of {truth_s} s"


@pytest.mark.parametrize("length_s", [0.31, LONG_S])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_whole_files_are_decoded_whole(kind: Kind, length_s: float):
    audio = decode(made(kind, length_s), "whole")
    assert audio.samples.size / 16_000 == pytest.approx(length_s, abs=kind.slack_s)
    assert audio.doubts == ()


@cases(
    "containers",
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    what=st.sampled_from(["cut", "hole", "joined", "mixed", "tag", "tag first", "lie"]),
    span=st.tuples(st.floats(0.02, 0.98), st.floats(0.01, 0.4)),
    tag=st.sampled_from(TAGS),
    lie=st.sampled_from(LIES),
)
def test_all_of_the_audio_or_none(kinds, what, span, tag, lie):
    kind, other = kinds
    whole = made(kind, LONG_S)
    slack_s = kind.slack_s + JITTER_S
    if what in ("cut", "hole"):
        at = round(span[0] * len(whole))
        end = len(whole) if what == "cut" else at + round(span[1] * len(whole))
        left = 1 - len(whole[at:end]) / len(whole) if kind.lengthless else 1.0
        slack_s += PACKETS_S if kind.lengthless else 0.0
        none_is_lost(whole[:at] + whole[end:], left * LONG_S, slack_s)
    elif what in ("joined", "mixed"):
        second = kind if what == "joined" else other
        slack_s += second.slack_s
        none_is_lost(whole + made(second, SHORT_S), LONG_S + SHORT_S, slack_s)
    elif what == "lie":
        none_is_lost(lying(whole, lie), LONG_S, slack_s)
    else:
        none_is_lost(whole + tag if what == "tag" else tag + whole, LONG_S, slack_s)


def lying(data: bytes, lie) -> bytes:
    """``data`` with another number where it says how much there is."""
    out = bytearray(data)
    for letters, (offset, count, order) in FIELDS.items():
        if (found := data.find(letters)) >= 0:
            place = slice(found + offset, found + offset + count)
            number = int.from_bytes(data[place], order)
            out[place] = (lie(number) % 2 ** (8 * count)).to_bytes(count, order)
            break
    return bytes(out)


GAINS = st.sampled_from([0.0, 1e-5, 0.3, 0.5, 0.9, 1.0, -0.3, -0.5, -0.9, -0.99, -1.0])


@cases("channels", gains=st.lists(GAINS, min_size=1, max_size=8), dc=st.sampled_from([0.0, 0.1]))
def test_channels_that_cancel_and_silence_are_cautions(gains, dc):
    kind = Kind("WAV", "FLOAT", channels=len(gains))
    one = speechlike(0.6, 16_000)
    audio = decode(written(kind, one * np.array(gains, np.float32) + np.float32(dc)), "mixed")
    mix, power = np.mean(gains), np.mean(np.square(gains))
    heard = power * one.var() > 1e-6
    kept = mix**2 * len(gains) / power if heard else 1.0
    if abs(kept - 0.25) > 0.01 and (not heard or power * one.var() > 1e-4):
        assert ("CancellingChannels" in audio.doubts) == (len(gains) > 1 and kept < 0.25)


def test_silence_is_named_by_the_workload(tmp_path: Path):
    loud = speechlike(0.5, 16_000)[:, 0]
    quiet = {"silent": 0 * loud, "offset": 0 * loud + 0.4, "hiss": 1e-4 * loud, "loud": loud}
    for name, samples in quiet.items():
        sf.write(tmp_path / f"{name}.wav", samples, 16_000, subtype="FLOAT")
    sf.write(tmp_path / "twisted.flac", np.stack([loud, -loud], 1), 16_000)
    lines = [{"audio": f"{name}.wav", "text": "a"} for name in quiet]
    lines.append({"audio": "twisted.flac", "text": "a"})
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    doubts = Folder(path=tmp_path).load(None).info.doubts
    assert {kind: [Path(name).stem for name in names] for kind, names in doubts.items()} == {
        "SilentAudio": ["silent", "offset", "hiss", "twisted"],
        "CancellingChannels": ["twisted"],
    }
