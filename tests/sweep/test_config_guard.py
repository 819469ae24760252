"""What Hydra composes is looked at before anything of it is called or written."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict
from support.refusals import refusal

from asr_scaling.errors import ConfigError
from asr_scaling.sweep.config_guard import check, check_arguments, write_out_homes
from asr_scaling.util.config_dir import conf_dir

SECRET = "s3cr3t-of-the-environment"
POPEN = "_target_: subprocess.Popen, args: [touch, x]"
ELSEWHERE = (
    f"hidden: {{evil: {{{POPEN}}}}}\n"
    f"late: {{0: {{evil: {{(): subprocess.Popen, args: [touch, x]}}}}}}\n"
)
HYDRA = {
    "callback": f"callbacks:\n  evil: {{{POPEN}}}",
    "callback elsewhere": "callbacks: ${hidden}",
    "callback in pieces": "callbacks:\n  evil: ${hidden.evil}",
    "callback by a word": "callbacks:\n  evil: {_target_: '${word}'}",
    "sweeper": f"sweeper: {{{POPEN}}}",
    "logging": "job_logging:\n  handlers: {evil: {(): subprocess.Popen, args: [touch, x]}}",
    "logging that is known late": "job_logging:\n  filters: '${late.${hydra.job.num}}'",
    "hydra's logging": "hydra_logging:\n  filters: {evil: {(): builtins.eval}}",
    "variables": "job:\n  env_set: {PATH: /tmp}",
}


def composed(tmp_path: Path, text: str, *overrides: str) -> Any:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "evil.yaml").write_text(
        f"# @package _global_\n{text}", encoding="utf-8"
    )
    path = f"hydra.searchpath=['file://{tmp_path}']"
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        return compose("config", [path, "experiment=evil", *overrides], return_hydra_config=True)


@pytest.mark.parametrize("kind", HYDRA)
def test_hydra_may_not_call_what_an_experiment_from_elsewhere_names(
    tmp_path: Path, kind: str
) -> None:
    node = textwrap.indent(HYDRA[kind], "  ")
    with pytest.raises(ConfigError, match=r"^hydra\.[\w.]+ (names|stands for|may not set)"):
        check(composed(tmp_path, f"word: subprocess.Popen\n{ELSEWHERE}hydra:\n{node}\n"))


@pytest.mark.parametrize("engine", ["fake", "transformers"])
@pytest.mark.parametrize("tracking", ["mlflow", "jsonl"])
def test_an_ordinary_experiment_is_fine(tmp_path: Path, engine: str, tracking: str) -> None:
    text = (
        "seed: 7\nhydra:\n  job:\n    env_set: {OMP_NUM_THREADS: 2}\n"
        "  sweep: {dir: 'out/${seed}'}\n"
    )
    experiment = composed(
        tmp_path, text, f"engine={engine}", f"tracking={tracking}", "hydra/job_logging=default"
    )
    assert refusal(check, experiment) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("engine: {fail_on: 'postgresql://me:hunter2@host/db'}\n", "engine.fail_on"),
        (f"model: {{path: 'a/{SECRET}'}}\n", "model.path"),
        ("hub: {token: hunter2}\n", "hub.token"),
        (f"hydra: {{run: {{dir: 'out/{SECRET}'}}}}\n", "hydra.run.dir"),
    ],
)
def test_a_secret_in_a_yaml_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, place: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    with pytest.raises(ConfigError) as caught:
        check(composed(tmp_path, text))
    assert str(caught.value).startswith(f"{place} holds a password or a token")
    assert "hunter2" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_secret_that_stays_in_the_environment_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert refusal(check, composed(tmp_path, "hub: {token: '${oc.env:HF_TOKEN}'}\n")) is None


@pytest.mark.parametrize(
    "argument",
    [
        "--token=hunter2hunter2",
        f"engine.fail_on={SECRET}",
        f"{SECRET}",
        "model.path=https://me:hunter2@host/x",
        "+hub.token=hunter2",
        "++hub.db_password=hunter2",
    ],
)
def test_a_secret_on_the_command_line(monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    with pytest.raises(ConfigError, match="holds a password or a token") as caught:
        check_arguments(["-m", "batch=1,2", argument])
    assert "hunter2" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_command_line_without_one() -> None:
    arguments = [
        "-m",
        "model.architecture.pad_token_id=3",
        "dataset.path=/a@b",
        "tracking.uri=http://h:5000",
    ]
    assert refusal(check_arguments, arguments) is None


def test_a_pickle_is_not_run_again() -> None:
    with pytest.raises(ConfigError, match="reads a pickle"):
        check_arguments(["--experimental-rerun", "config.pickle"])


def text_options() -> list[tuple[str, str, str]]:
    """Group, choice and key of every option of a YAML of this package that may hold a text."""
    found = []
    for path in sorted(conf_dir().glob("*/*.yaml")):
        if path.parent.name in ("hydra", "experiment"):
            continue
        options = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        assert isinstance(options, dict)
        for key, value in options.items():
            if value is None or (isinstance(value, str) and "${" not in value):
                found.append((path.parent.name, path.stem, str(key)))
    return [entry for entry in found if entry[2] not in ("_target_", "defaults")]


def test_a_home_folder_is_written_out_in_whatever_option_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    options = text_options()
    assert {("tracking", "jsonl", "path"), ("dataset", "folder", "path")} < set(options)
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        for group, choice in dict.fromkeys((group, choice) for group, choice, _ in options):
            several = group in ("optimisation", "profiler")
            place, chosen = (f"{group}.{choice}", f"[{choice}]") if several else (group, choice)
            own = [f"{place}.{key}" for of, named, key in options if (of, named) == (group, choice)]
            given = (f"++{option}='~/x/${{seed}}'" for option in own)
            config = compose("config", [f"{group}={chosen}", *given])
            write_out_homes(config)
            for option in own:
                assert OmegaConf.select(config, option) == "/home/ann/x/42", option


def test_so_it_is_in_lists_and_in_the_folders_of_hydra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    text = "a: ['~/b', {c: '~/d', e: '~'}]\nhydra: {run: {dir: ~/r}, sweep: {dir: ~/s}}\n"
    config = composed(tmp_path, text, "~tracking")
    with open_dict(config):
        write_out_homes(config)
    assert config.a == ["/home/ann/b", {"c": "/home/ann/d", "e": "/home/ann"}]
    assert (config.hydra.run.dir, config.hydra.sweep.dir) == ("/home/ann/r", "/home/ann/s")
    assert "~tracking" in config.hydra.overrides.task
