"""A flipped bit in a file that still parses is noticed, named, and never half-read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes import FakeDevice
from support.studies import BASE, TINY, study

from asr_scaling.cli.report import main
from asr_scaling.core.checksum import signed, verified
from asr_scaling.core.record import RunRecord
from asr_scaling.errors import AsrScalingError, DataError
from asr_scaling.machine import peak_rates
from asr_scaling.records.read import Damaged, each_record, readable_records
from asr_scaling.records.sweep_manifest import SWEEP_FILE, SweepManifest
from asr_scaling.search.outcome import OUTCOME_FILE, Journal
from asr_scaling.selftest.certificate import FILE, certificate, to_bytes
from asr_scaling.selftest.certificate import _read as read_certificate
from asr_scaling.selftest.checks import Check
from asr_scaling.tracking.jsonl import Jsonl

RECORD, OTHER, THIRD = (
    replace(each, started_at=1.5 + i)
    for i, each in enumerate(study((TINY, BASE), (5.0, 30.0), (1, 4))[:3])
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5).filter(lambda key: key != "sha256"), JSON, max_size=5))
def test_what_was_signed_is_verified_after_a_file(data: dict[str, Any]) -> None:
    assert verified(json.loads(json.dumps(signed(data), indent=1, ensure_ascii=False))) == data
    assert verified(data) == data


def one_digit_more(text: bytes) -> bytes:
    """The same JSON but for one figure."""
    at = next(
        i for i in range(1, len(text)) if text[i : i + 1] in b"12345678" and text[i - 1 : i] == b"."
    )
    return text[:at] + bytes([text[at] + 1]) + text[at + 1 :]


def test_a_changed_figure_in_a_record_that_still_parses(tmp_path: Path) -> None:
    path = RECORD.write(tmp_path)
    path.write_bytes(one_digit_more(path.read_bytes()))
    json.loads(path.read_bytes())
    with pytest.raises(
        DataError, match=r"damaged \(its checksum does not fit.*measure the point again"
    ):
        RunRecord.read(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_flipped_bit_changes_a_record_unnoticed(data: st.DataObject) -> None:
    text = bytearray(json.dumps(signed(RECORD.to_json()), indent=1, ensure_ascii=False).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = RunRecord.from_json(json.loads(text))
    except (AsrScalingError, ValueError, AttributeError):
        return
    assert found == RECORD  # white space


def test_a_record_from_before_there_were_checksums(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD.to_json()), encoding="utf-8")
    assert RunRecord.read(path) == RECORD


KEPT: dict[str, tuple[Callable[[Path], object], Callable[[Path], object], str]] = {
    "sweep": (
        lambda folder: SweepManifest(("batch=1.25,2.5",), ("batch=1.25", "batch=2.5"), "run").write(
            folder
        ),
        SweepManifest.read,
        SWEEP_FILE,
    ),
    "search": (
        lambda folder: Journal({"a": 1.25, "b": 2.5}).write(folder),
        Journal.read,
        OUTCOME_FILE,
    ),
    "certificate": (
        lambda folder: (folder / FILE).write_bytes(
            to_bytes(certificate([Check("A", "pass", "0.125 0.25")], 1.25))
        ),
        lambda folder: read_certificate(folder / FILE),
        FILE,
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_a_changed_figure_in_a_file_of_a_sweep(kind: str, tmp_path: Path) -> None:
    write, read, name = KEPT[kind]
    write(tmp_path)
    assert read(tmp_path) is not None
    path = tmp_path / name
    path.write_bytes(one_digit_more(path.read_bytes()))
    with pytest.raises((DataError, ValueError), match="checksum does not fit"):
        read(tmp_path)


def test_a_changed_peak_is_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_SCALING_CACHE", str(tmp_path))
    measured = peak_rates.Peaks("float32", 1.5e9, 2.5e9, 512, 1.25)
    monkeypatch.setattr(peak_rates, "measure", lambda device, dtype: measured)
    monkeypatch.setattr(peak_rates, "_products", lambda *_: (1.5e9, 1.0))
    monkeypatch.setattr(peak_rates, "_taken", lambda machine: 0.0)
    peak_rates.peaks(FakeDevice(), "float32")
    (path,) = (tmp_path / "peaks").iterdir()
    path.write_text(path.read_text().replace("2500000000.0", "2500000001.0"))
    assert peak_rates.peaks(FakeDevice(), "float32")[0] == measured
    assert "2500000001.0" not in path.read_text()


def lines(path: Path) -> list[bytes]:
    sink = Jsonl(str(path))
    for record in (RECORD, OTHER, THIRD):
        sink.write(record, path.parent, "sweep")
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("damage", [one_digit_more, lambda line: line[: len(line) // 2] + b"\n"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_damaged_line_is_named_and_the_others_are_read(
    tmp_path: Path, number: int, damage: Callable[[bytes], bytes], zipped: bool
) -> None:
    path = tmp_path / "records.jsonl"
    rows = lines(path)
    rows[number] = damage(rows[number])
    path.write_bytes(b"".join(rows))
    if zipped:
        path = path.with_suffix(".jsonl.gz")
        path.write_bytes(gzip.compress(b"".join(rows)))
    damaged: Damaged = []
    found = list(each_record(path, damaged))
    whole = [record for i, record in enumerate((RECORD, OTHER, THIRD)) if i != number]
    assert [record for record, _ in found] == whole
    assert [again() for _, again in found] == whole
    (said,) = map(str, damaged)
    assert said.startswith(str(path))
    with pytest.raises(DataError, match=r"records\.jsonl"):
        list(each_record(path))


def test_a_cut_gzipped_record_is_named(tmp_path: Path) -> None:
    for i, record in enumerate((RECORD, OTHER)):
        path = record.write(tmp_path / f"{i}_point")
        path.with_name("record.json.gz").write_bytes(
            gzip.compress(path.read_bytes())[: -20 if i else None]
        )
        path.unlink()
    damaged: Damaged = []
    assert [record for record, _ in each_record(tmp_path, damaged)] == [RECORD]
    assert "1_point" in str(damaged[0])
    again: Damaged = []
    assert readable_records(tmp_path, again) == [RECORD]
    assert [str(error) for error in again] == [str(error) for error in damaged]


def test_the_report_names_what_it_left_out_and_is_about_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, record in enumerate((RECORD, OTHER)):
        path = record.write(tmp_path / f"{i}_point")
    path.write_bytes(one_digit_more(path.read_bytes()))
    assert main([str(tmp_path), "--no-mlflow"]) == 0
    assert f"left out: {path}: This record is damaged" in capsys.readouterr().err
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Left out, since it can" in page
    assert str(path) in page
    (tmp_path / "0_point" / "record.json").write_text("{")
    assert main([str(tmp_path), "--no-mlflow"]) == 1
    assert "0_point" in capsys.readouterr().err.splitlines()[-1]
