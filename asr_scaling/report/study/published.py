"""The figures of the study whose tables a report repeats, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from asr_scaling.analysis.format import why_missing
from asr_scaling.analysis.points import Point
from asr_scaling.analysis.system_grid import SystemColumn, device_kind
from asr_scaling.report.cells import missing, number, words
from asr_scaling.report.document import Cell, Column, word_columns

NOT_MEASURED = "not measured in this sweep"
NOT_IN_STUDY = missing("not in the study")
SOURCE = (
    "a 2025 course study: Colab Xeon CPU and Tesla P100, speech of GigaSpeech in fragments of "
    "5, 15, 30 and 60 s"
)
TINY = "tiny"
BASE = "base"
SMALL = "small"
MEDIUM = "medium"
WAV2VEC2 = "wav2vec2"
MODELS: Mapping[str, str] = {
    **{f"whisper_{size}": size for size in (TINY, BASE, SMALL, MEDIUM)},
    **{f"whisper_{size}_en": size for size in (TINY, BASE, SMALL, MEDIUM)},
    "wav2vec2": WAV2VEC2,
}
"""Our name → the study's: openai/whisper-* (multilingual) and facebook/wav2vec2-base-960h."""
LATENCY_LENGTH_S = 60.0
ENERGY_CELL = (60.0, 16)
"""Length and batch of its energy per sample."""
THROUGHPUT_CELL = (5.0, 16)
"""Its maximum is over lengths and batches: the shortest and the largest must be measured."""
LATENCY_S: Mapping[str, Mapping[str, float]] = {
    "gpu": {TINY: 0.2772, BASE: 0.4021, SMALL: 0.7244, MEDIUM: 1.3076, WAV2VEC2: 0.2040},
    "cpu": {TINY: 1.0463, BASE: 2.0865, SMALL: 5.8894, MEDIUM: 16.2315, WAV2VEC2: 7.3847},
}
ENERGY_J: Mapping[str, Mapping[str, float]] = {
    "gpu": {TINY: 0.28, BASE: 0.55, SMALL: 1.59, MEDIUM: 4.77, WAV2VEC2: 0.11},
    "cpu": {TINY: 4.8, BASE: 11.3, SMALL: 36.0, MEDIUM: 129.2, WAV2VEC2: 74.6},
}
ENERGY_RANGE_J: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "gpu": {
        TINY: (0.6, 3.4), BASE: (0.7, 8.9), SMALL: (1.7, 25.5), MEDIUM: (4.8, 76.4),
        WAV2VEC2: (0.09, 1.8),
    },
    "cpu": {
        TINY: (4.7, 9.1), BASE: (9.9, 18.1), SMALL: (36.0, 51.1), MEDIUM: (106.0, 140.8),
        WAV2VEC2: (4.0, 74.6),
    },
}  # fmt: skip
SAMPLES_PER_S: Mapping[str, Mapping[str, float]] = {
    "gpu": {TINY: 54.1, BASE: 26.2, SMALL: 28.4, MEDIUM: 12.9, WAV2VEC2: 95.4}
}
WER: Mapping[str, float] = {TINY: 0.36, BASE: 0.34, SMALL: 0.36, MEDIUM: 0.36, WAV2VEC2: 0.57}
BATCH_GAIN: Mapping[str, str] = {"cpu": "1.1–1.6 (all)", "gpu": "3–33 (all)"}
BATCH_GAIN_OF: Mapping[tuple[str, str], str] = {("gpu", TINY): "6.6", ("gpu", WAV2VEC2): "33"}
ENCODER_FLOP: Mapping[str, float] = {TINY: 23.2e9, BASE: 59.8e9, SMALL: 261.4e9, MEDIUM: 917.5e9}
WAV2VEC2_MAC: Mapping[float, float] = {5.0: 34.8e9, 60.0: 418.2e9}
DECODER_STEP_FLOP: Mapping[str, float] = {
    TINY: 0.014e9,
    BASE: 0.038e9,
    SMALL: 0.170e9,
    MEDIUM: 0.604e9,
}

TRUNCATED = (
    "The study's 60 s figures of Whisper are probably of the first 30 s only, its audio cut "
    "there, while here it is transcribed to its end: our 30 s may be what compares."
)
CUT_REFERENCES = (
    "The study's WER of 34–36 % whatever the Whisper size probably comes from fragments cut "
    "inside words and audio cut at 30 s, while the references were not; it is of other speech, so "
    "no ratio is formed."
)
UNSTEADY_ENERGY = (
    "On the GPU, most of the study's energies at batch 16 lie below the ranges that it gives "
    "itself; both are shown as printed."
)
ODD_THROUGHPUT = (
    "The study says neither batch nor length of its maxima, and its small is faster than its base "
    "(28.4 against 26.2), which its latencies contradict."
)
CONVENTIONS = (
    "By the study's convention: for Whisper thop's modules × 2, without attention's matrix "
    "products; for wav2vec2 it printed thop's multiply-adds, half of that, a factor of two apart "
    "from its own Whisper column."
)
PARTIAL_STEP = (
    "The study's decoder per step is 2 × 12 · d² · layers: no cross-attention and no vocabulary "
    "projection, so ours, which has both, is larger."
)
ENGLISH = (
    "whisper_*_en is the English one of the study's multilingual model: same layers, a smaller "
    "vocabulary."
)


def name_of(point: Point) -> str:
    """What the study calls the model; "" where it has none such."""
    return MODELS.get(point.model, "")


def has_any(systems: Iterable[SystemColumn]) -> bool:
    """Whether the study has one of the models."""
    return any(name_of(column.any) for column in systems)


def published(table: Mapping[str, Mapping[str, float]], point: Point) -> float | None:
    """The figure of the same model on the same kind of device; None where the study has none."""
    return table.get(device_kind(point.device), {}).get(name_of(point))


def columns(
    systems: Iterable[SystemColumn], unit: str, ratio: str = "ours / study", where: str = ""
) -> tuple[Column, ...]:
    """The columns of the study's figure and the ratio; none where it has none of the models."""
    columns = (Column(f"Study{where}", unit, meaning=SOURCE), Column(f"Ratio{where}", ratio))
    return columns if has_any(systems) else ()


WHO = word_columns("System", "Device")
"""The two columns that say what a row is about; ``who`` makes their cells."""


def who(column: SystemColumn) -> tuple[Cell, Cell]:
    """System and device; the hardware is the second's note."""
    return words(column.system), words(column.device, column.any.hardware)


def beside(
    point: Point | None, metric: str, theirs: float | None, factor: float, why: str = NOT_MEASURED
) -> list[Cell]:
    """The study's figure in our unit times ``factor``, and ours over it."""
    if theirs is None:
        return [NOT_IN_STUDY] * 2
    ratio = missing(why)
    if point and point.value(metric) is not None and point.judged(metric) is None:
        ratio = missing(why_missing(point, metric))
    elif point and (ours := point.stated(metric)):
        ratio = number(*ours, 1 / theirs)
    return [number(theirs, None, factor), ratio]
