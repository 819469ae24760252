"""The README's commands, run as they are printed;
only workloads are cut down, where that is said here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.warm import run_warm

from asr_scaling.cli import VERBS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("   #")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip() and " serve " not in line  # tests/docs/test_serve_page.py
]
SHORTER = (
    "pipeline.utterances=2",
    "pipeline.warmup=0",
    "pipeline.min_iterations=1",
    "pipeline.precision=null",
    "sweep.processes=1",
    "profiler=[latency]",
)
"""Added to commands that measure real models, so that they end in seconds."""
SMALL_SEARCH = (
    "optimiser.minutes=0.4",
    "optimiser.batches=[1]",
    "optimiser.engines=[transformers]",
    "optimiser.optimisations=[draft,one_thread]",
    "optimiser.utterances=2",
    "optimiser.max_seconds=1",
    "optimiser.final_utterances=2",
    "optimiser.finalists=1",
    "optimiser.processes=1",
    "pipeline.utterances=2",
    "pipeline.max_seconds=1",
    "sweep.selftest=false",
    "tracking=jsonl",
)
FAKE = (
    "engine=fake",
    "engine.fixed_s=0.05",
    "profiler=[latency,quality]",
    "tracking=jsonl",
    "sweep.selftest=false",
)
"""A point that two of make records to compare."""
QUICK = (FAKE[0], *FAKE[2:])
"""Another one, of calls of milliseconds."""
SHORT_SEARCH = (
    "optimisation=[]",
    "pipeline.utterances=4",
    "optimiser.workers=[1]",
    "optimiser.minutes=0.5",
    "optimiser.ceiling_s=1",
    "optimiser.search_minutes=0.1",
)
"""Added to it, it is soon known what the ways to serve it hold."""


def measured_before(verb: str, arguments: list[str]) -> list[list[str]]:
    """Sweeps whose records a verb asks for."""
    if verb == "compare":
        return [[*FAKE, f"hydra.run.dir={name}"] for name in ("one", "other")]
    if verb == "report":
        return [["-m", *FAKE, "batch=1,2", "hydra.sweep.dir=my_sweep"]]
    if "--qps" in arguments:
        real = (*SHORTER[:-1], "profiler=[latency,quality]", "tracking=jsonl")
        load = ("scenario=requests", "scenario.rate=3", "scenario.requests=60")
        return [[*real, "sweep.selftest=false", "engine=faster_whisper", *load]]
    if verb == "recommend":
        scored = ("profiler=[latency,memory,quality]", "tracking=jsonl", "sweep.selftest=false")
        return [[*SHORTER[:-1], *scored]]
    return []


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_command_runs(command: str, tmp_path: Path, fresh_database: Path) -> None:
    program, flag, module, *arguments = shlex.split(command)
    assert (program, flag, module) == ("python", "-m", "asr_scaling")
    verb = arguments[0] if arguments[0] in VERBS else "sweep"
    measures = verb == "sweep" and "--help" not in arguments
    if "dataset=folder" in arguments:
        speech = tmp_path / "my" / "speech"
        shutil.copytree(ROOT / "asr_scaling" / "dataset" / "demo_data", speech)
    for before in measured_before(verb, arguments):
        assert run_warm(tmp_path, "asr_scaling", before).returncode == 0
    if "experiment=capacity" in arguments:
        arguments += [*QUICK, *SHORT_SEARCH]
    elif "experiment=optimise" in arguments:
        arguments = [*arguments[:-1], "model=whisper_tiny_en", *SMALL_SEARCH]
    elif measures:
        arguments += SHORTER
    if any(argument.startswith("experiment=study") for argument in arguments):
        arguments += ["model=whisper_tiny_en", "dataset.length_s=5", "batch=1", "sweep.processes=1"]
    if "batch=max" in arguments:
        arguments.append("batch.resolution=0.5")
    if "model=whisper_tiny,wav2vec2" in arguments:
        arguments = [argument.replace("batch=1,8,16", "batch=1,2,4") for argument in arguments]
        arguments.append("dataset.length_s=3")
    elif measures:
        shutil.copy(fresh_database, tmp_path / "mlflow.db")  # the sweep above makes its own
    if measures:
        arguments.append("sweep.selftest=false")
    done = run_warm(tmp_path, module, arguments)
    # one process a side can't tell a change of 5 % from what differs between processes; and a busy
    # machine may not hold three requests a second
    expected = {2} if verb == "compare" else {0, 1} if "--qps" in arguments else {0}
    assert done.returncode in expected, done.stderr[-2000:]
    assert "3 a second" in done.stdout if "--qps" in arguments else done.stdout


def test_python_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    without = "import sys; sys.modules['hydra'] = sys.modules['mlflow'] = None\n"
    done = subprocess.run(
        [sys.executable, "-c", without + example],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0


@pytest.mark.parametrize("target", re.findall(r"`?make (\w+)`?", README))
def test_make_targets_exist(target: str) -> None:
    done = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_make_demo_is_the_signature_sweep() -> None:
    plan = subprocess.run(
        ["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "python -m asr_scaling -m model=whisper_tiny_en,wav2vec2 batch=1,8,16" in plan


def test_the_tree_names_what_is_there() -> None:
    (tree,) = re.findall(r"```\n(conf/.*?)```", README, re.DOTALL)
    for name in re.findall(r"^  ?([\w./ ]+?)  ", tree, re.MULTILINE):
        for part in name.split():
            assert (ROOT / "asr_scaling" / part).exists() or (ROOT / part).exists(), part


def test_it_fits_one_screen_and_names_its_figures() -> None:
    assert len(README.splitlines()) <= 90
    assert "RESULT_TABLE" not in README
