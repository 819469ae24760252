"""Make the demo speech set that ships with the package.

Reads ``demo_sentences.txt`` next to this script, speaks every sentence with one of three synthetic
voices, adds noise to about a quarter of them and writes 16 kHz mono FLAC files with a manifest.
The tables between the markers of the README in the output folder are written anew.

Needs the Debian packages flite, festival and festvox-us-slt-hts,
and Python's numpy, soundfile, soxr:

    python scripts/make_demo.py [--out asr_scaling/dataset/demo_data]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

Signal = npt.NDArray[np.float64]

SEED = 42
RATE = 16_000
PEAK = 0.3  # of full scale, about -10 dBFS; the lower level also makes the FLAC files smaller
EDGE_S = 0.15  # silence kept before and after the speech
FRAME = RATE // 100  # 10 ms
ACTIVE_DB = -35.0  # a frame is active speech when at most this far below the loudest frame
NOISES = [(kind, snr) for snr in (20.0, 10.0, 5.0) for kind in ("pink", "babble")]
NOISE_ROUNDS = 1  # utterances per voice, kind of noise and SNR
BABBLE_TALKERS = 6
DEBIAN_PACKAGES = ("flite", "festival", "festvox-us-slt-hts")
PYTHON_PACKAGES = ("numpy", "soundfile", "soxr")
HERE = Path(__file__).resolve().parent


def flite(voice: str) -> Callable[[str, Path], None]:
    """A function that speaks a text into a WAV file with one of flite's voices."""

    def speak(text: str, wav: Path) -> None:
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wav)], check=True)

    return speak


def festival_slt(text: str, wav: Path) -> None:
    """Speak a text into a WAV file with festival's HTS voice slt."""
    voice = "(voice_cmu_us_slt_arctic_hts)"
    subprocess.run(["text2wave", "-eval", voice, "-o", str(wav)], input=text, text=True, check=True)


VOICES: dict[str, Callable[[str, Path], None]] = {
    "flite-rms": flite("rms"),  # US English, male
    "flite-awb": flite("awb"),  # Scottish English, male
    "festival-slt-hts": festival_slt,  # US English, female
}


def active_samples(signal: Signal) -> npt.NDArray[np.bool_]:
    """Mark the samples in 10 ms frames whose power is within ``ACTIVE_DB`` of the loudest frame."""
    padded = np.pad(signal, (0, -len(signal) % FRAME))
    power = np.mean(padded.reshape(-1, FRAME) ** 2, axis=1)
    return np.repeat(power > power.max() * 10 ** (ACTIVE_DB / 10), FRAME)[: len(signal)]


def trim(signal: Signal) -> Signal:
    """Cut the silence at both ends down to at most ``EDGE_S``."""
    active = np.flatnonzero(active_samples(signal))
    edge = int(EDGE_S * RATE)
    return signal[max(0, active[0] - edge) : active[-1] + 1 + edge]


def synthesise(text: str, voice: str) -> Signal:
    """Speak a text: 16 kHz mono, trimmed, with its peak at ``PEAK``."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder, "speech.wav")
        VOICES[voice](text, wav)
        signal, rate = sf.read(wav, dtype="float64")
    speech: Signal = trim(soxr.resample(signal, rate, RATE, quality="VHQ"))
    return speech * (PEAK / float(np.abs(speech).max()))


def pink_noise(length: int, rng: np.random.Generator) -> Signal:
    """Noise whose power falls with 1/f from 20 Hz up; below 20 Hz there is none."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / RATE)
    weight = np.where(frequency >= 20, 1 / np.sqrt(np.maximum(frequency, 20)), 0)
    return np.fft.irfft(spectrum * weight, length)


def babble(length: int, talkers: list[Signal], rng: np.random.Generator) -> Signal:
    """``BABBLE_TALKERS`` equally loud talkers at once,
    each from a random place in a random talker's speech."""
    mix = np.zeros(length)
    for number in rng.permutation(np.arange(BABBLE_TALKERS) % len(talkers)):
        start = rng.integers(len(talkers[number]) - length)
        part = talkers[number][start : start + length]
        mix += part / np.sqrt(np.mean(part**2))
    return mix


def to_int16(signal: Signal) -> npt.NDArray[np.int16]:
    """Round to 16 bits."""
    return np.round(signal * 32767).astype(np.int16)


def snr_db(speech: Signal, noise: Signal) -> float:
    """Mean power of the speech over its active samples against mean power of the noise over all,
    in dB."""
    return float(10 * np.log10(np.mean(speech[active_samples(speech)] ** 2) / np.mean(noise**2)))


def mix_at(speech: Signal, noise: Signal, target_db: float) -> tuple[npt.NDArray[np.int16], float]:
    """Add noise at an SNR; return the final 16-bit samples and the SNR measured on them."""
    noisy = speech + noise * 10 ** ((snr_db(speech, noise) - target_db) / 20)
    gain = PEAK / np.abs(noisy).max()
    samples = to_int16(noisy * gain)
    return samples, snr_db(speech * gain, samples / 32767 - speech * gain)


def plan_noise(voices: list[str], rng: np.random.Generator) -> dict[int, tuple[str, float]]:
    """Choose at random which sentences of each voice get the noises:
    ``NOISE_ROUNDS`` sentences each."""
    plan: dict[int, tuple[str, float]] = {}
    for voice in VOICES:
        own = rng.permutation(np.flatnonzero(np.array(voices) == voice))
        plan |= {
            int(index): noise for index, noise in zip(own, NOISES * NOISE_ROUNDS, strict=False)
        }
    return plan


def make(sentences: list[str], out: Path) -> list[dict[str, Any]]:
    """Write the FLAC files and the manifest; return the manifest's rows."""
    rng = np.random.default_rng(SEED)
    voices = [voice for _, voice in zip(sentences, cycle(VOICES), strict=False)]
    speech = [synthesise(text, voice) for text, voice in zip(sentences, voices, strict=True)]
    talk = {
        v: np.concatenate([s for s, own in zip(speech, voices, strict=True) if own == v])
        for v in VOICES
    }
    plan = plan_noise(voices, rng)
    for old in out.glob("*.flac"):
        old.unlink()
    rows = []
    for index, (text, voice, clean) in enumerate(zip(sentences, voices, speech, strict=True)):
        condition, target = plan.get(index, ("clean", 0.0))
        samples, measured = to_int16(clean), None
        if condition != "clean":
            others = [talk[v] for v in VOICES if v != voice]
            pink = condition == "pink"
            noise = pink_noise(len(clean), rng) if pink else babble(len(clean), others, rng)
            samples, measured = mix_at(clean, noise, target)
        name = f"demo-{index + 1:03d}"
        sf.write(out / f"{name}.flac", samples, RATE, subtype="PCM_16", compression_level=1.0)
        row: dict[str, Any] = {"audio": f"{name}.flac", "text": text, "id": name, "speaker": voice}
        row |= {"duration_s": round(len(samples) / RATE, 3), "condition": condition}
        rows.append(row | {"snr_db": None if measured is None else round(measured, 1)})
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (out / "manifest.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return rows


def tables(rows: list[dict[str, Any]]) -> str:
    """The README's generated part: utterances and seconds per voice and condition, and versions."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        for voice in (row["speaker"], "all"):
            for condition in (row["condition"], "all"):
                seconds[voice, condition].append(row["duration_s"])
    conditions = ("clean", "pink", "babble", "all")
    text = [
        "Utterances / seconds:",
        "",
        "| voice | " + " | ".join(conditions) + " |",
        "|---|---|---|---|---|",
    ]
    for voice in (*VOICES, "all"):
        cells = (f"{len(seconds[voice, c])} / {sum(seconds[voice, c]):.1f}" for c in conditions)
        text.append(f"| {voice} | " + " | ".join(cells) + " |")
    query = ["dpkg-query", "-W", "-f", "${Package} ${Version}, ", *DEBIAN_PACKAGES]
    debian = subprocess.run(query, capture_output=True, text=True, check=True).stdout.rstrip(", ")
    python = ", ".join(f"{name} {version(name)}" for name in PYTHON_PACKAGES)
    return "\n".join(
        [*text, "", f"Made with Debian's {debian} and Python's {python}; seed {SEED}."]
    )


def main() -> None:
    """Make the set."""
    parser = argparse.ArgumentParser(description="Make the demo speech set.")
    parser.add_argument("--out", type=Path, default=HERE.parent / "asr_scaling/dataset/demo_data")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rows = make((HERE / "demo_sentences.txt").read_text(encoding="utf-8").splitlines(), out)
    readme, begin, end = out / "README.md", "<!-- made: begin -->", "<!-- made: end -->"
    text = readme.read_text(encoding="utf-8") if readme.exists() else f"{begin}\n{end}\n"
    head, tail = text.split(begin)[0], text.split(end)[1]
    readme.write_text(f"{head}{begin}\n{tables(rows)}\n{end}{tail}", encoding="utf-8")
    print(f"{len(rows)} utterances, {sum(row['duration_s'] for row in rows):.1f} s in {out}")


if __name__ == "__main__":
    main()
