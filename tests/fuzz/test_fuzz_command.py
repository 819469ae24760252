"""Whatever is typed behind a command: what it means, or one sentence; never a traceback."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import math
import shlex
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from hypothesis import strategies as st
from support.fuzzing import JUNK, cases, sentence

from asr_scaling.cli.arguments import positive, size
from asr_scaling.cli.compare import main as compare_main
from asr_scaling.cli.recommend import main as recommend_main
from asr_scaling.cli.report import main as report_main
from asr_scaling.cli.sweep import batch_shorthand, explained, flags_first
from asr_scaling.errors import AsrScalingError, ConfigError
from asr_scaling.sweep.instantiate import build_job, options
from asr_scaling.sweep.plan import PlannedPoint, by_system, labels
from asr_scaling.util.config_dir import conf_dir

CORPUS = Path(__file__).parent / "corpus" / "command"
KEYS = [
    "batch",
    "batch.size",
    "model",
    "engine",
    "engine.dtype",
    "dataset",
    "dataset.length_s",
    "dataset.path",
    "device",
]
KEYS += [
    "optimisation",
    "profiler",
    "pipeline",
    "pipeline.utterances",
    "pipeline.precision",
    "pipeline.max_seconds",
]
KEYS += [
    "sweep",
    "sweep.resume",
    "sweep.processes",
    "sweep.precision",
    "sweep.interleave",
    "tracking",
    "tracking.uri",
    "seed",
    "experiment",
]
KEYS += [
    "device.heap",
    "model.parameters",
    "model.weights",
    "hydra.sweep.dir",
    "hydra/launcher",
    "nope",
    "",
    "+a.b",
    "~tracking",
]
WORDS = [
    "1",
    "8",
    "0",
    "-1",
    "1.5",
    "1e400",
    "nan",
    "inf",
    "null",
    "true",
    "max",
    "fixed",
    "1,8,16",
    "range(1,4)",
    "[]",
    "{}",
]
WORDS += [
    "'1'",
    '"',
    "'",
    "[int8]",
    "[int8,",
    "{a:1}",
    "${batch.size}",
    "${nope}",
    "${oc.env:HOME}",
    "???",
    "a b",
    "a=b",
    "\n",
]
WORDS += [
    "../x",
    "/etc/passwd",
    "x" * 300,
    "é",
    "\0",
    "choice(1,2)",
    "glob(*)",
    "whisper_tiny",
    "int8",
    "demo",
    "cuda",
    "\\",
    "1" * 5000,
]
KEY = st.sampled_from(KEYS) | st.builds(
    str.__add__, st.sampled_from(["+", "++", "~", "-"]), st.sampled_from(KEYS)
)
VALUE = (
    st.sampled_from(WORDS)
    | st.text(max_size=6)
    | st.lists(st.sampled_from(WORDS), max_size=3).map(",".join)
)
JUNK_PATHS = st.lists(
    st.sampled_from(
        ["run", "=", "3", "(", ")", "{", "[", ",", " ", "'", '"', "é", "/", "#", "$", "~"]
    ),
    min_size=1,
    max_size=6,
).map("".join)
ARGUMENT = st.builds("{}={}".format, KEY, VALUE) | st.text(max_size=10) | KEY


@functools.cache
def empty() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


@cases(
    "arguments",
    found=st.lists(ARGUMENT, max_size=5),
    jobs=st.lists(st.lists(ARGUMENT, max_size=4), max_size=5),
)
def test_what_is_made_of_arguments(found: list[str], jobs: list[list[str]]):
    short = list(map(batch_shorthand, found))
    assert list(map(batch_shorthand, short)) == short
    assert all(a == b or a.startswith("batch=") for a, b in zip(found, short, strict=True))
    points = list(map(PlannedPoint.of, jobs))
    ordered = [point.overrides for point in by_system(points)]
    assert Counter(map(tuple, ordered)) == Counter(map(tuple, jobs))
    told = labels(points)
    assert len(told) == len(jobs)
    assert all(0 < point.weight < math.inf for point in points)
    for text in found:
        for kind in (positive, size):
            with contextlib.suppress(Exception):
                assert 0 < kind(text) < math.inf


FLAGS = [
    "--latency-p95",
    "--min-rtfx",
    "--max-wer",
    "--memory",
    "--max-joules",
    "--length",
    "--price-per-hour",
    "--dataset",
]
FLAGS += [
    "--batch",
    "-o",
    "--allow",
    "--fail-if",
    "--json",
    "--no-mlflow",
    "--nope",
    "-x",
    "--",
    "--help",
    "--memory=",
    "-h",
]
NUMBER = st.sampled_from(
    [
        "2GB",
        "2 GB",
        "1e305GB",
        "0",
        "-1",
        "nan",
        "inf",
        "GB",
        "１GB",
        "1_0",
        "500MB",
        "2GiB",
        "",
        " ",
        "9" * 400,
    ]
)
GATE = st.builds(
    "{}{}{}".format,
    st.sampled_from(["latency/p50_s", "x", "", "throughput/*"]),
    st.sampled_from("<>=!"),
    NUMBER,
)
TYPED = st.lists(st.sampled_from(FLAGS) | NUMBER | GATE | st.text(max_size=6) | VALUE, max_size=5)


@cases(
    "command lines",
    command=st.sampled_from([compare_main, recommend_main, report_main]),
    typed=TYPED,
)
def test_commands(command: Any, typed: list[str]):
    said, wrong = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(wrong),
        contextlib.chdir(empty().name),
    ):
        try:
            status = command(typed)
        except SystemExit as end:
            status = end.code
    if status == 0:  # --help
        return
    assert status in (1, 2)
    assert wrong.getvalue().startswith("error: ")
    assert wrong.getvalue().count("\n") == 1


def refusal(plain: dict[str, Any]) -> AsrScalingError | None:
    """Why there is no job of these options; None where there is one."""
    try:
        build_job(plain).system.composed()
    except AsrScalingError as error:
        return error
    return None


@pytest.fixture(scope="module", autouse=True)
def hydra() -> Iterator[None]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def composed(overrides: list[str]) -> None:
    """The job that Hydra makes of them, or one sentence as the command line says it."""
    try:
        error = refusal(options(compose("config", list(map(batch_shorthand, overrides)))))
        assert error is None or sentence(error) is None
    except Exception as error:
        told = explained(error)
        if told is None:
            raise
        assert told.isprintable()
        assert told


@cases("overrides", overrides=st.lists(ARGUMENT, min_size=1, max_size=3))
def test_overrides(overrides: list[str]):
    composed(overrides)


@cases("values as a shell hands them over", value=st.text(min_size=1, max_size=12) | JUNK_PATHS)
def test_a_value_that_hydra_can_not_read_is_named_with_the_way_to_quote_it(value: str):
    """What the sentence says to type is read as exactly the text that was meant."""
    try:
        OverridesParser.create().parse_override(f"dataset.path={value}")
    except HydraException:
        if not value.strip() or not value.isprintable():
            return
    else:
        return
    with pytest.raises(OverrideParseException) as caught:
        OverridesParser.create().parse_overrides([f"dataset.path={value}"])
    told = explained(caught.value)
    assert told is not None
    assert told.startswith("The value of dataset.path can't be read")
    (typed,) = shlex.split(told.rpartition("as in  ")[2].removesuffix("."))
    parsed = OverridesParser.create().parse_override(typed)
    assert parsed.key_or_group == "dataset.path"
    meant = parsed.value()
    if "$" in value:  # OmegaConf reads it once more
        meant = compose("config", ["dataset=folder", typed]).dataset.path
    assert meant == value


@pytest.mark.parametrize("flags", [[], ["-m"], ["-m", "--resolve"], ["--cfg", "job", "-m"]])
def test_flags_may_stand_anywhere(flags: list[str]):
    words = ["batch.size=1", "model=wav2vec2"]
    for place in range(3):
        mixed = [*words[:place], *flags, "--config-dir", "a=b", *words[place:]]
        assert flags_first(mixed) == [*flags, "--config-dir", "a=b", *words]


@pytest.mark.parametrize("wrong", [["--foo"], ["--cfg"], ["--config-dir"], ["-x", "a=1"]])
def test_a_flag_that_there_is_not_is_one_sentence(wrong: list[str]):
    with pytest.raises(ConfigError, match="see  python -m asr_scaling --help"):
        flags_first(wrong)


@functools.cache
def plain() -> dict[str, Any]:
    chosen = ["tracking=jsonl", "optimisation=[int8,keep_heap]"]
    return options(compose("config", chosen))


@cases("options", step=st.tuples(st.integers(0, 20), st.integers(0, 30)), value=JUNK)
def test_options_of_any_value(step: tuple[int, int], value: Any):
    found = copy.deepcopy(plain())
    groups = [key for key, group in found.items() if isinstance(group, dict) and group]
    group = found[groups[step[0] % len(groups)]]
    key = list(group)[step[1] % len(group)]
    if key == "_target_":
        return
    group[key] = value
    error = refusal(found)
    assert error is None or sentence(error) is None


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*")), ids=lambda path: path.name)
def test_what_was_found_before(path: Path):
    """One argument a line."""
    arguments = path.read_text(encoding="utf-8").splitlines()
    assert PlannedPoint.of(arguments).weight > 0
    composed(arguments)
