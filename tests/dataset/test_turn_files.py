"""RTTM, STM and CTM as people write them, and one sentence with its line for what is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr_scaling.core.turns import Turn
from asr_scaling.dataset._turn_files import read_ctm, read_rttm, read_stm
from asr_scaling.errors import DataError

NAMES = st.text("abcxyz_-.09é", min_size=1, max_size=6)
WORDS = st.text("abcäß'?,.éж", min_size=1, max_size=7)
TIMES = st.integers(0, 10_000_000).map(lambda ms: ms / 1000)


@st.composite
def turns(draw: st.DrawFn, text: st.SearchStrategy[str]) -> list[Turn]:
    def one() -> Turn:
        start_s = draw(TIMES)
        for_s = draw(st.integers(0, 9000)) / 1000
        return Turn(start_s, round(start_s + for_s, 3), draw(st.none() | NAMES), draw(text))

    found = [one() for _ in range(draw(st.integers(0, 8)))]
    return sorted(found, key=lambda turn: (turn.start_s, turn.end_s))


def rttm_line(name: str, turn: Turn) -> str:
    speaker = turn.speaker or "<NA>"
    return (
        f"SPEAKER {name} 1 {turn.start_s:.3f} {turn.duration_s:.3f} <NA> <NA> {speaker} <NA> <NA>"
    )


def stm_line(name: str, turn: Turn) -> str:
    speaker = turn.speaker or "<NA>"
    return f"{name} A {speaker} {turn.start_s:.3f} {turn.end_s:.3f} <o,f0,male> {turn.text}"


def ctm_line(name: str, turn: Turn) -> str:
    end = f"0.99 lex {turn.speaker}" if turn.speaker else ""
    return f"{name} 1 {turn.start_s:.3f} {turn.duration_s:.3f} {turn.text} {end}"


FORMS: dict[str, tuple[Callable[[str, Turn], str], Callable[[Path, str], Any]]] = {
    "rttm": (rttm_line, read_rttm),
    "stm": (stm_line, lambda path, name: read_stm(path, name)[0]),
    "ctm": (ctm_line, read_ctm),
}
TEXTS = {
    "rttm": st.just(""),
    "stm": st.lists(WORDS, max_size=5).map(" ".join),
    "ctm": WORDS,
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_written_is_read_again(form: str, tmp_path: Path, data: st.DataObject):
    line, read = FORMS[form]
    written = data.draw(turns(TEXTS[form]))
    lines = [line("rec", turn) for turn in data.draw(st.permutations(written))]
    for noise in data.draw(st.lists(st.sampled_from(["", "  ", ";; a comment", ";;"]), max_size=4)):
        lines.insert(data.draw(st.integers(0, len(lines))), noise)
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    mark = data.draw(st.sampled_from(["", "\ufeff"]))
    path = tmp_path / f"rec.{form}"
    path.write_bytes((mark + end.join(lines)).encode())
    found = read(path, "rec")
    assert [(t.speaker, t.text) for t in found] == [(t.speaker, t.text) for t in written] or (
        sorted((t.speaker or "", t.text) for t in found)
        == sorted((t.speaker or "", t.text) for t in written)
    )
    for times in ("start_s", "end_s"):
        expected = sorted(getattr(turn, times) for turn in written)
        assert sorted(getattr(turn, times) for turn in found) == pytest.approx(expected, abs=2e-3)
    assert found == sorted(found, key=lambda turn: (turn.start_s, turn.end_s))


@pytest.fixture
def read(tmp_path: Path):
    """What a file of some lines holds of the recording "a"."""

    def check(form: str, *lines: str, name: str = "a") -> Any:
        path = tmp_path / f"a.{form}"
        path.write_text("\n".join(lines), encoding="utf-8")
        return FORMS[form][1](path, name)

    return check


def test_lines_of_rttm_that_say_nothing_of_speakers(read):
    found = read(
        "rttm",
        "SPKR-INFO a 1 <NA> <NA> <NA> unknown bob <NA>",
        "SPEAKER\ta\t1\t1.5\t.5\t<NA>\t<NA>\tbob\t<NA>",
        "LEXEME a 1 1.5 0.2 hello lex bob 0.9",
        "speaker a 1 0 1e0 <NA> <NA> <NA>",
    )
    assert found == [Turn(0, 1), Turn(1.5, 2, "bob")]


def test_segments_of_stm(read, tmp_path: Path):
    found = read(
        "stm",
        ';; LABEL "o" "Overall"',
        "a 1 bob 2 3.5 <o,,unknown> and <unk> { yes / yeah }",
        "a 2 ann 0 1 { @ / uh } no   way",
        "a 1 inter_segment_gap 1 2 <o> ignore_time_segment_in_scoring",
        "a 1 ann 4 5",
    )
    assert found == [
        Turn(0, 1, "ann", "no way"),
        Turn(2, 3.5, "bob", "and <unk> yes"),
        Turn(4, 5, "ann"),
    ]
    assert read_stm(tmp_path / "a.stm", "a")[1] == 1


def test_tokens_of_ctm_that_are_no_words(read):
    found = read(
        "ctm",
        "a A 0.5 0.25 hello 0.98 lex bob",
        "a A 0.1 0.2 [laugh] 1 non-lex",
        "a A 0.8 0.2 <eps>",
        "a A 1.0 0.2 you",
    )
    assert found == [Turn(0.5, 0.75, "bob", "hello"), Turn(1.0, 1.2, None, "you")]


def test_a_file_of_several_recordings(read):
    lines = [f"SPEAKER {name} 1 0 1 <NA> <NA> of-{name} <NA> <NA>" for name in ("a", "b", "c")]
    assert read("rttm", *lines, name="b") == [Turn(0, 1, "of-b")]
    with pytest.raises(DataError, match=r"'a.rttm' holds 3 recordings \(a, b, c …\) and none is"):
        read("rttm", *lines, name="d")
    assert read("rttm", lines[0], name="d") == [Turn(0, 1, "of-a")]


@pytest.mark.parametrize(
    ("form", "line", "words"),
    [
        ("rttm", "SPEAKER a 1 0 1", ["has 5 of 8 fields", "SPEAKER <recording>"]),
        ("rttm", "SPEAKER a 1 x 1 <NA> <NA> bob <NA>", ["start is 'x'", "seconds"]),
        ("rttm", "SPEAKER a 1 0 -1 <NA> <NA> bob <NA>", ["length is '-1'"]),
        ("rttm", "SPEAKER a 1 nan 1 <NA> <NA> bob <NA>", ["start is 'nan'"]),
        ("rttm", "SPEAKER a 1 1e999 1 <NA> <NA> bob <NA>", ["start is '1e999'"]),
        ("rttm", "SPEAKER a 1 <NA> 1 <NA> <NA> bob <NA>", ["start is '<NA>'"]),
        ("rttm", "a 1 bob 0 1 hello", ["begins with 'a'", "SPEAKER"]),
        ("stm", "a 1 bob 0", ["has 4 of 5 fields"]),
        ("stm", "a 1 bob 2 1 hello", ["ends at 1 s", "begins at 2 s"]),
        ("stm", "a 1 bob 0 1_0 hello", ["end is '1_0'"]),
        ("ctm", "a 1 0 1", ["has 4 of 5 fields"]),
        ("ctm", "a 1 0 long hello", ["length is 'long'"]),
        ("ctm", "a 1 * * <ALT_BEGIN>", ["alternatives are not read"]),
    ],
)
def test_a_damaged_line_is_one_sentence(read, form: str, line: str, words: list[str]):
    with pytest.raises(DataError, match=rf"^a\.{form}, line 3: ") as caught:
        read(form, ";; one", "", line)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert all(word in message for word in words)


def test_a_file_that_is_no_utf_8(tmp_path: Path):
    (tmp_path / "a.stm").write_bytes("a 1 bob 0 1 schön".encode("latin-1"))
    with pytest.raises(DataError, match=r"'a\.stm' is not UTF-8 \(.*\); save it as UTF-8"):
        read_stm(tmp_path / "a.stm", "a")
