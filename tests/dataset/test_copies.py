"""Demo speech that grows by made copies of its utterances."""

from __future__ import annotations

import numpy as np
import pytest

from asr_scaling.core.workload import Utterance, Workload, original_id
from asr_scaling.dataset.demo import Demo

SPOKEN = 75


@pytest.fixture(scope="module")
def grown() -> Workload:
    return Demo().load(2 * SPOKEN + 30)


def copies_of(workload: Workload) -> list[Utterance]:
    return [u for u in workload.utterances if original_id(u.id) != u.id]


def original(workload: Workload, copy: Utterance) -> Utterance:
    return next(u for u in workload.utterances if u.id == original_id(copy.id))


@pytest.mark.parametrize(
    ("limit", "digest"),
    [
        (16, "cceb56b5aa15"),
        (SPOKEN, "ecca355515b1"),
        (None, "ecca355515b1"),
    ],
)
def test_what_was_spoken_stays_what_it_was(limit: int | None, digest: str):
    """Committed records name these."""
    info = Demo().load(limit).info
    assert info.digest.startswith(digest)
    assert info.copies == 0


def test_a_larger_limit_begins_with_all_of_a_smaller_one(grown: Workload):
    for limit in (SPOKEN, SPOKEN + 1, 2 * SPOKEN):
        fewer = Demo().load(limit)
        more = grown.utterances[:limit]
        assert [u.id for u in more] == [u.id for u in fewer.utterances]
        pairs = zip(more, fewer.utterances, strict=True)
        assert all(np.array_equal(a.audio, b.audio) for a, b in pairs)


def test_the_facts_count_copies_and_what_was_spoken(grown: Workload):
    info = grown.info
    assert (info.utterances, info.copies, info.available) == (180, 105, SPOKEN)
    assert Demo().load(180).info.digest == info.digest
    assert len({u.id for u in grown.utterances}) == 180
    assert Demo(seed=1).load(SPOKEN + 1).utterances[-1].id != grown.utterances[SPOKEN].id


def test_every_utterance_has_a_copy_before_one_has_two(grown: Workload):
    first = [original_id(u.id) for u in copies_of(grown)[:SPOKEN]]
    assert len(set(first)) == SPOKEN


def test_copies_say_what_their_originals_say(grown: Workload):
    for copy in copies_of(grown):
        source = original(grown, copy)
        assert copy.reference == source.reference
        assert (copy.speaker, copy.language) == (source.speaker, source.language)


def test_copies_are_slower_or_faster_or_have_noise_of_30_db_and_none_is_clipped(grown: Workload):
    speeds = {"slower": 0.9, "slow": 0.95, "fast": 1.05, "faster": 1.1, "noisy": 1.0}
    seen = set()
    for copy in copies_of(grown):
        source, done = original(grown, copy), copy.id.partition("~")[2]
        seen.add(done)
        lasts = source.audio.size / speeds[done.partition("-")[0]]
        assert copy.audio.size == pytest.approx(lasts, abs=1)
        assert np.abs(copy.audio).max() < 0.5
        assert not np.array_equal(copy.audio[:1000], source.audio[:1000])
        if done == "noisy":
            powers = [float(np.mean(x**2)) for x in (source.audio, copy.audio - source.audio)]
            assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(30, abs=0.2)
    assert len(seen) == 9


def test_the_pitch_of_a_slower_copy_falls(grown: Workload):
    """Most of the energy of speech moves down by the factor of the speed."""

    def centre(audio: np.ndarray) -> float:
        spectrum = np.abs(np.fft.rfft(audio)) ** 2
        return float(np.average(np.fft.rfftfreq(audio.size), weights=spectrum))

    slower = next(u for u in copies_of(grown) if u.id.endswith("~slower"))
    ratio = centre(slower.audio) / centre(original(grown, slower).audio)
    assert ratio == pytest.approx(0.9, abs=0.01)


def test_clean_speech_has_no_noisy_copies():
    clean = Demo(condition="clean").load(1000)
    assert clean.info.utterances == 57 * 5
    assert not [u.id for u in clean.utterances if "noisy" in u.id]


def test_there_are_no_more_copies_than_changes():
    assert Demo(condition="noisy").load(1000).info.utterances == 18 * 10


def test_fragments_are_made_of_what_was_spoken():
    found = Demo(length_s=5).load(1000)
    assert found.info.copies == 0
    assert not [part for u in found.utterances for part in u.parts if original_id(part) != part]
