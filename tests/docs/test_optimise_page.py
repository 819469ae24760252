"""docs/optimise.md: its commands run, and it speaks of everything that can be chosen."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from support.warm import run_warm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "optimise.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("   #")[0].strip()
    for line in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)[0].splitlines()
]
SHORTER = (
    "model=whisper_tiny_en",
    "batch.size=1",
    "tracking=jsonl",
    "sweep.selftest=false",
    "sweep.processes=1",
    "pipeline.utterances=2",
    "pipeline.warmup=0",
    "pipeline.min_iterations=3",
    "pipeline.precision=null",
    "profiler.energy.windows=1",
    "profiler.energy.min_seconds=0.5",
    "profiler.energy.idle_seconds=0",
)
FEW = {
    "experiment=engines": ("engine=transformers", "optimisation=[],[dynamic_window]"),
    "experiment=optimisations": ("optimisation=[],[decode_loop]",),
}
"""Added to the two experiments, so that they end in seconds;
tests/docs/test_readme.py runs the others."""


def names(group: str) -> set[str]:
    return {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")}


def rows(heading: str) -> list[str]:
    """First cells of the table below a heading."""
    _, _, text = PAGE.partition(f"\n## {heading}\n")
    return re.findall(r"^\| (.+?) \|", text.partition("\n## ")[0], re.MULTILINE)[1:]


def test_every_engine_and_every_optimisation_is_explained() -> None:
    assert set(rows("Engines")) == names("engine") - {"fake"}
    told = [name for cell in rows("Optimisations") for name in re.findall(r"`(.+?)`", cell)]
    assert all(
        any(fnmatchcase(name, pattern) for pattern in told) for name in names("optimisation")
    )
    assert all(
        any(fnmatchcase(name, pattern) for name in names("optimisation")) for pattern in told
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if "experiment=optimise " not in c and "recommend" not in c]
)
def test_command_runs(command: str, tmp_path: Path) -> None:
    program, flag, module, *arguments = shlex.split(command)
    assert (program, flag) == ("python", "-m")
    arguments += [
        *SHORTER,
        *next(few for experiment, few in FEW.items() if experiment in arguments),
    ]
    done = run_warm(tmp_path, module, arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    (report,) = tmp_path.rglob("report.md")
    assert "## What engines and optimisations bring" in report.read_text(encoding="utf-8")


def measured(file: Path) -> list[str]:
    """Rows of the page's tables as the benchmark printed them."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    return [
        f"| {name} | {batch} | {rtfx} | {wer} | {ratio} |"
        for name, batch, rtfx, _, ratio, wer, _ in cells
    ]


def test_every_figure_is_in_the_committed_output_of_the_benchmark() -> None:
    outputs = {
        path.stem.partition("-")[2]: measured(path)
        for path in ROOT.glob("docs/results/*/engines-*.txt")
    }
    tables = dict(re.findall(r"^\*\*(\w+)\*\* .*\n\n((?:\|.*\n)+)", PAGE, re.MULTILINE))
    assert outputs
    assert {model: table.splitlines()[2:] for model, table in tables.items()} == outputs
