"""All of a file's audio or none: joined files, tracks, gaps, and files that name others."""

from __future__ import annotations

import io
import struct
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile as sf
from support.audio_files import BOXED, KINDS, PAGED, Kind, add_track, made, speechlike, written

from asr_scaling.dataset import _containers, _ffmpeg
from asr_scaling.dataset._audio import decode, load_audio
from asr_scaling.errors import DataError

AMR = Path(__file__).parents[1] / "data" / "audio" / "speech.amr"
"""The beginning of the demo's speech, written by sox."""
MP3 = Kind("mp3", "libmp3lame")
NO_TABLE = Kind("mp3", "libmp3lame", options=(("write_xing", "0"),))
ID3 = b"ID3\x03\0\0\0\0\x01\0" + b"\xff\xfb" * 64


def seconds(data):
    return load_audio(data, "x").size / 16_000


def refused(data, *words):
    with pytest.raises(DataError) as caught:
        decode(data, "my file")
    message = str(caught.value)
    assert message.startswith("'my file' ")
    assert message.endswith(".")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (MP3, MP3),
        (NO_TABLE, NO_TABLE),
        (MP3, NO_TABLE),
        (NO_TABLE, MP3),
        (MP3, Kind("mp3", "libmp3lame", 44_100, 2)),
        (Kind("FLAC", "PCM_16"), Kind("FLAC", "PCM_24", 44_100, 2)),
        (Kind("OGG", "VORBIS"), Kind("OGG", "VORBIS", 44_100, 2)),
        (Kind("OGG", "VORBIS"), Kind("OGG", "OPUS")),
        (Kind("ogg", "flac"), Kind("ogg", "libopus", 48_000)),
        (Kind("webm", "libopus", 48_000), Kind("webm", "libopus", 48_000)),
        (Kind("ipod", "aac"), Kind("mov", "alac")),
    ],
    ids=str,
)
def test_files_joined_byte_by_byte_are_decoded_to_their_end(first, second):
    assert seconds(made(first, 0.9) + made(second, 1.3)) == pytest.approx(2.2, abs=0.21)


@pytest.mark.parametrize("container", ["WAV", "RF64", "W64", "AIFF", "CAF", "AU"])
def test_files_whose_second_part_no_decoder_reads_are_refused(container):
    kind = Kind(container, "PCM_16")
    refused(made(kind, 0.5) + made(kind, 0.5), "after the audio", "a file of its own")


def test_tags_are_no_audio_wherever_they_stand():
    tag, ape = b"TAG" + b"x" * 125, b"APETAGEX" + struct.pack("<4I8x", 2000, 32, 0, 0)
    for data in (ID3 + made(MP3), made(MP3) + tag, made(MP3) + ape + tag, ID3 + made(MP3) + tag):
        assert np.array_equal(load_audio(data, "x"), load_audio(made(MP3), "x"))
    assert seconds(made(MP3) + tag + ID3 + made(MP3)) == pytest.approx(4.0, abs=0.01)
    assert seconds(ID3 + made(Kind("FLAC", "PCM_16")) + tag) == 2.0


def test_an_mp3_without_a_table_of_its_length_has_all_its_frames():
    loud_later = np.concatenate([np.zeros((32_000, 1), np.float32), speechlike(6.0, 16_000)])
    for samples in (loud_later, loud_later[::-1]):
        assert seconds(written(NO_TABLE, samples)) == pytest.approx(8.0, abs=0.2)


def test_an_mp3_of_free_bit_rate_is_not_called_damaged():
    options = (*NO_TABLE.options, ("id3v2_version", "0"))
    data = bytearray(made(Kind("mp3", "libmp3lame", options=options)))
    data[2] &= 0x0F  # the bit rate's four bits
    refused(bytes(data), "no bit rate that is known", "save it again")


def test_an_mp3_has_the_delay_of_its_encoder_taken_off_once():
    click = np.zeros((16_000, 1), np.float32)
    click[8000:8010] = 0.9
    audio = load_audio(written(MP3, click) + written(MP3, click), "x")
    assert audio.size == 32_000
    for start in (0, 16_000):
        assert abs(np.abs(audio[start : start + 16_000]).argmax() - 8004) < 30


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_of_two_tracks_none_is_chosen_in_silence(container, tmp_path):
    path, kind = tmp_path / "two", Kind(container, "aac")
    with av.open(str(path), "w", format=container) as file:
        streams = [file.add_stream("aac", rate=16_000) for _ in range(2)]
        for stream in streams:
            stream.layout = "mono"
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(speechlike(1.0, 16_000).T.copy(), "fltp", "mono")
            frame.rate = kind.rate_hz
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                file.mux(packet)
    refused(path, "holds 2 audio tracks", "a file of its own")


def test_a_video_has_its_sound_read(tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w", format="mp4") as file:
        picture = file.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        add_track(file, Kind("mp4", "aac"), speechlike(1.0, 16_000))
        for _ in range(10):
            file.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(picture.encode(None))
    assert seconds(path) == pytest.approx(1.0, abs=0.15)


def test_times_with_a_gap_are_a_caution(tmp_path):
    path = tmp_path / "gap.mka"
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("pcm_s16le", rate=16_000)
        stream.layout = "mono"
        for start in (0, 16_000, 64_000):
            frame = av.AudioFrame.from_ndarray(np.ones((1, 16_000), np.int16), "s16", "mono")
            frame.rate, frame.pts = 16_000, start
            file.mux(stream.encode(frame))
    audio = decode(path, "x")
    assert audio.samples.size == 48_000
    assert audio.doubts == ("AudioGaps",)


def test_wav_of_a_pipe_that_says_it_has_nothing(encoded, tone):
    data = bytearray(encoded(tone(0.5), container="WAV"))
    at = data.index(b"data") + 4
    data[at : at + 4] = bytes(4)
    assert np.array_equal(
        load_audio(bytes(data), "x"), load_audio(encoded(tone(0.5), container="WAV"), "x")
    )


def test_wav_with_more_or_less_than_its_header_says(encoded, tone):
    data = bytearray(encoded(tone(0.5), container="WAV"))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 8000)
    refused(bytes(data), "8000 bytes after the audio that its header announces")
    data[at : at + 4] = struct.pack("<I", 20_000)
    refused(bytes(data), "cut off")
    chunk = b"LIST" + struct.pack("<I", 4) + b"INFO"
    whole = encoded(tone(0.5), container="WAV")
    assert seconds(whole + chunk) == 0.5
    refused(whole + b"data" + struct.pack("<I", 8) + bytes(8), "more than one piece")


@pytest.mark.parametrize("kind", [*PAGED, Kind("FLAC", "PCM_16"), Kind("ogg", "flac")], ids=str)
@pytest.mark.parametrize("place", [0.3, 0.6, 0.95])
def test_a_changed_bit_of_a_format_with_checksums_is_seen(kind, place):
    data = bytearray(made(kind))
    data[round(len(data) * place)] ^= 0x10
    refused(bytes(data))


@pytest.mark.parametrize("kind", BOXED, ids=str)
def test_each_cut_of_a_container_with_an_index_or_elements_is_seen(kind):
    data = made(kind)
    for share in np.linspace(0.05, 0.97, 12):
        refused(data[: round(len(data) * share)])


def test_flac_and_wav_are_bit_for_bit_what_libsndfile_reads():
    for kind in KINDS:
        if kind.container in ("WAV", "FLAC", "AIFF") and kind.rate_hz == 16_000:
            samples, _ = sf.read(io.BytesIO(made(kind)), dtype="float32")
            assert np.array_equal(load_audio(made(kind), "x"), samples), kind


def dref(url: bytes) -> bytes:
    """An MP4 box that says that the samples are in another file."""
    entry = struct.pack(">I4sI", 12 + len(url) + 1, b"url ", 0) + url + b"\0"
    return struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry


def elsewhere(url: bytes) -> bytes:
    """An MP4 whose samples are in the file ``url``; its sizes are mended."""
    data = made(Kind("mov", "pcm_s16le"))
    start = data.index(b"dref") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    more = len(dref(url)) - size
    out = bytearray(data)
    for outer in (b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        at = data.rindex(outer, 0, start) - 4
        out[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + more).to_bytes(4, "big")
    return bytes(out[:start]) + dref(url) + bytes(out[start + size :])


def test_no_file_that_a_file_names_is_opened(tmp_path, monkeypatch):
    secret = tmp_path / "secret.wav"
    secret.write_bytes(made(Kind("WAV", "PCM_16")))
    asked = []
    monkeypatch.setattr(_ffmpeg, "_never", lambda url, *_: asked.append(url))
    playlists = [
        f"#EXTM3U\n#EXTINF:2,\n{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {secret}\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\na=control:file:{secret}\n",
        f'<?xml version="1.0"?><MPD><Period><BaseURL>{secret}</BaseURL></Period></MPD>',
        f"[playlist]\nFile1={secret}\n",
        f"concat:{secret}|{secret}",
    ]
    for text in playlists:
        refused(text.encode(), "unknown format")
        refused(ID3 + text.encode(), "unknown format")
    for url in (str(secret), f"file://{secret}", "http://127.0.0.1:9/a.wav"):
        try:
            own = load_audio(elsewhere(url.encode()), "x")
        except DataError:
            continue
        assert np.array_equal(own, load_audio(made(Kind("mov", "pcm_s16le")), "x"))
    assert asked == []


def test_amr_as_voice_recorders_write_it():
    data = AMR.read_bytes()
    assert seconds(data) == pytest.approx(1.04)
    assert seconds(data + data) == pytest.approx(2.08)
    for end in range(7, len(data)):
        if (end - 6) % 13:  # a frame has 13 bytes
            refused(data[:end], "not whole")
    refused(data[:6], "no audio")
    refused(data[:60] + data[61:])


def test_only_containers_of_speech_reach_a_decoder():
    for begin in (b"GIF89a", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", b"MThd\0\0\0\6", b"RIFF0000AVI "):
        refused(begin + bytes(3000), "unknown format", "save it again")


def test_a_file_of_millions_of_pieces_is_not_walked_to_its_end(monkeypatch):
    monkeypatch.setattr(_containers, "_MOST_PIECES", 1000)
    refused(b"RIFF\xff\xff\xff\x7fWAVE" + bytes(8008), "more than 1000 pieces")


def test_cuts_between_frames_of_a_live_recording_are_no_loss_of_what_is_there():
    data = made(NO_TABLE)
    starts = [at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] >> 5 == 7]
    lengths = [seconds(data[:at]) for at in starts[10:40:7] if not _cut(data[:at])]
    assert len(lengths) > 2
    assert all(shorter < longer for shorter, longer in pairwise(lengths))


def _cut(data):
    try:
        load_audio(data, "x")
    except DataError:
        return True
    return False
