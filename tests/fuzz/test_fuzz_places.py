"""Whatever stands in names and patterns, wherever a file was cut: nothing is lost or overwritten.

Every planned point has a folder and a place in the store of its own, or the sweep is refused before
it is measured; after the next append to a cut file every whole record can be read.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf, open_dict
from support.fakes import make_job
from support.fuzzing import cases, sentence

from asr_scaling.core.record import RunRecord
from asr_scaling.errors import ConfigError
from asr_scaling.measure.job import run
from asr_scaling.records.read import Damaged, each_record
from asr_scaling.sweep import config_guard
from asr_scaling.sweep.places import check, pattern, place
from asr_scaling.sweep.plan import PlannedPoint
from asr_scaling.tracking._tags import place as stored_place
from asr_scaling.tracking.jsonl import Jsonl
from asr_scaling.util.config_dir import conf_dir
from asr_scaling.util.quoting import quoted

NAMES = [
    "openai/whisper-tiny.en",
    "a",
    "A",
    "b",
    "..",
    ".",
    "../../x",
    "/etc/x",
    "a b",
    "é",
    "e\u0301",
    "\n",
    "CON",
    "n" * 300,
    "report",
    "it's",
    'say "x"',
    "a,b",
    "%2F",
    "",
    " ",
    "rounds/0/a",
]
NAME = st.sampled_from(NAMES) | st.text(
    st.characters(exclude_characters="$\0", exclude_categories=["Cs"]), max_size=12
)
PIECES = [
    "${model.name}",
    "${batch.size}",
    "${hydra.job.num}",
    "${hydra:job.num}",
    "${hydra.job.id}",
    "_",
    "/",
    "..",
    "report",
    "rounds/0",
    "x",
    "/tmp/x",
    ".",
    "n" * 200,
    "'",
    "é",
    "\n",
]
SUBDIR = st.none() | st.tuples(
    st.sampled_from(["", "", "/tmp/x/", "../", ".hydra/"]),
    st.lists(st.sampled_from(PIECES), max_size=3).map("".join),
    st.sampled_from(["", "${hydra.job.num}"]),
).map("".join)


@functools.cache
def base() -> DictConfig:
    """The default sweep, as Hydra composes it for the command line."""
    config_guard.guard()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        return loader.load_sweep_config(loader.load_configuration("config", [], _mode()), [])


def _mode() -> object:
    from hydra.types import RunMode

    return RunMode.MULTIRUN


def _point(names: Sequence[str], subdir: str | None, number: int) -> DictConfig:
    config = base().copy()
    with open_dict(config):
        config.model.name, config.batch.size = names[number], number + 1
        if subdir is not None:
            config.hydra.sweep.subdir = subdir
    return config


@cases("places", names=st.lists(NAME, min_size=2, max_size=4), subdir=SUBDIR)
def test_every_point_has_a_place_of_its_own(names: list[str], subdir: str | None):
    numbers = iter(range(len(names)))
    planned = [PlannedPoint((f"model.name={quoted(name)}",), 1.0) for name in names]
    sweep = _point(names, subdir, 0)
    try:
        check(planned, sweep, lambda _: _point(names, subdir, next(numbers)))
    except ConfigError as error:
        sentence(error)
        assert subdir is not None, "the default folder suits every name"
        return
    folders, places = [], []
    for number in range(len(names)):
        config = _point(names, subdir, number)
        with open_dict(config):
            config.hydra.job.num, config.hydra.job.id = number, f"asr_scaling_{number}"
        text = str(OmegaConf.select(config, "hydra.sweep.subdir")) if _plain(config) else None
        if text is None:
            return  # needs Hydra's own state, which the check had
        assert subdir is not None or ("/" not in text and text.isprintable()), text
        assert all(len(os.fsencode(part)) <= 255 for part in text.split("/"))
        folders.append(os.path.normpath(text).casefold())
        record = RunRecord("x", config={"hydra": {"place": place(config.hydra)}}, **_REST)
        places.append(stored_place(record, Path("sweep") / text))
    assert len(set(folders)) == len(set(places)) == len(names), (folders, places)
    assert not any(folder.startswith(("/", "../", ".hydra")) for folder in folders)
    assert not any("'" in each or '"' in each for each in places)


_REST: dict[str, object] = {"status": "ok", "environment": {}}


def _plain(config: DictConfig) -> bool:
    return "${hydra:" not in pattern(config)


@functools.cache
def measured() -> RunRecord:
    return run(make_job())


@cases(
    "cut lines",
    steps=st.lists(
        st.tuples(st.booleans(), st.floats(0, 1) | st.floats(0.95, 1)), min_size=1, max_size=6
    ),
)
def test_whatever_was_cut_the_next_records_are_whole(steps: list[tuple[bool, float]]):
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path, kept = Path(folder) / "records.jsonl", list[float]()
        sink = Jsonl(str(path))
        for number, (cut, share) in enumerate(steps):
            before = path.stat().st_size if path.exists() else 0
            record = replace(measured(), started_at=float(number + 1))
            sink.write(record, Path(folder), "sweep")
            if cut:  # the power went: some of the last line is gone, but not what was there before
                size = path.stat().st_size
                os.truncate(path, before + round(share * (size - before)))
                sink.write(record, Path(folder), "sweep")  # as a resumed sweep does
            kept.append(record.started_at)
        damaged: Damaged = []
        assert [record.started_at for record, _ in each_record(path, damaged)] == kept
        for error in damaged:
            sentence(error, str(path))
