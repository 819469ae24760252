"""What a configuration may call: the package's own parts,
and those of packages that the user trusts by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from support.refusals import refusal

from asr_scaling import load_system
from asr_scaling.engine.fake import Fake
from asr_scaling.errors import ConfigError
from asr_scaling.sweep.allowlist import TRUSTED, check_hydra, check_parts
from asr_scaling.sweep.instantiate import build, build_job
from asr_scaling.util.config_dir import conf_dir

EVIL = (
    "os.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "pathlib.Path.touch",
    "torch.load",
    "asr_scaling.util.cache.write_atomic",
    "asr_scaling.util.cache.file_sha256",
    "asr_scaling.engine.fake.os.system",
    "asr_scaling.engine.transformers.importlib.import_module",
    "asr_scaling.sweep.callback.SweepCallback",
    "asr_scaling.sweep.callback.build",
    "hydra.utils.instantiate",
    "asr_scaling.engine.fake.Fake.load",
    " asr_scaling.engine.fake.Fake",
    "asr_scaling.engine.fake.Fake\n",
    "",
    7,
    None,
    ["os.system"],
)
FAKE = {"_target_": "asr_scaling.engine.fake.Fake"}


class Mine:
    """A part of a package elsewhere."""


def test_every_yaml_of_this_package_may_be_built() -> None:
    found = 0
    for path in conf_dir().glob("*/*.yaml"):
        node = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        if (
            path.parent.name in ("experiment", "model")
            or not isinstance(node, dict)
            or "defaults" in node
        ):
            continue
        node = {key: value for key, value in node.items() if not str(value).startswith("${")}
        if "dataset" not in path.parts and path.stem != "endpoint":  # want a path, or an address
            build(node)
        check_parts(node)
        found += 1
    assert found > 50


@pytest.mark.parametrize("target", EVIL)
@pytest.mark.parametrize("place", ["top", "nested", "list", "deep", "of another"])
def test_anything_else_is_refused_before_it_is_called(
    target: Any, place: str, tmp_path: Path
) -> None:
    evil = {"_target_": target, "_args_": [f"touch {tmp_path / 'run'}"]}
    node: dict[str, Any] = {
        "top": evil,
        "nested": {"engine": evil},
        "list": {"profiler": [1, [evil]]},
        "deep": {"model": {"architecture": {"a": {"b": [{"c": evil}]}}}},
        "of another": {**FAKE, "fail_on": evil},
    }[place]
    with pytest.raises(ConfigError, match=r"names .* may not call: choose one") as caught:
        build(node)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["_partial_", "_args_", "_convert_", "_recursive_"])
def test_hydras_words_for_calls_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"engine\.{key} is for calls"):
        build({"engine": {**FAKE, key: False}})


def test_what_becomes_a_node_only_when_it_is_built() -> None:
    hidden = "${oc.create:{_target_: os.system, command: 'true'}}"
    with pytest.raises(ConfigError, match=r"engine\.fail_on still refers to something"):
        build({"engine": {**FAKE, "fail_on": hidden}})


def test_a_job_is_built_of_the_packages_parts_alone() -> None:
    with pytest.raises(ConfigError, match=r"dataset names 'os\.listdir'"):
        build_job({"engine": FAKE, "dataset": {"_target_": "os.listdir", "path": "."}})


def test_parts_of_a_package_that_the_user_names(monkeypatch: pytest.MonkeyPatch) -> None:
    node = {"_target_": f"{__name__}.Mine"}
    with pytest.raises(ConfigError, match=rf"set {TRUSTED}="):
        build(node)
    monkeypatch.setenv(TRUSTED, f"elsewhere, {__name__}")
    assert isinstance(build(node), Mine)
    for other in (
        "os.system",
        f"{__name__}.os.system",
        f"{__name__}.Path",
        f"{__name__}.build",
        f"{__name__}.gone.X",
    ):
        with pytest.raises(ConfigError, match="may not call"):
            build({"_target_": other})


@pytest.mark.parametrize(
    "target",
    ["os.system", "asr_scaling.util.cache.write_atomic", "asr_scaling.sweep.callback.SweepRun"],
)
def test_a_recommendation_from_elsewhere(target: str, tmp_path: Path) -> None:
    path = tmp_path / "recommended.yaml"
    path.write_text(
        f"defaults: [config, override engine: fake, _self_]\nengine:\n  _target_: {target}\n"
    )
    with pytest.raises(ConfigError, match=rf"engine names '{target}'"):
        load_system(path)


CALLBACK = {"asr_scaling": {"_target_": "asr_scaling.sweep.callback.SweepCallback"}}
LAUNCHER = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}
LOGGING = {
    "formatters": {
        "simple": {"format": "%(message)s", "class": "asr_scaling.util.redact.Formatter"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
}


def test_what_hydra_may_call() -> None:
    allowed = {
        "callbacks": CALLBACK,
        "launcher": {
            "_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
        },
        "sweeper": LAUNCHER,
        "job_logging": LOGGING,
        "job": {"env_set": {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": "0"}},
    }
    assert refusal(check_hydra, allowed) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"callbacks": {**CALLBACK, "evil": {"_target_": "subprocess.Popen", "args": ["true"]}}},
        {"callbacks": {"evil": {"_target_": "hydra.experimental.callbacks.PickleJobInfoCallback"}}},
        {"callbacks": {"asr_scaling": {**CALLBACK["asr_scaling"], "x": {"_target_": "os.system"}}}},
        {"launcher": {"_target_": "os.system"}},
        {"launcher": {**LAUNCHER, "ray": {"init": {"_target_": "os.system"}}}},
        {"launcher": {**LAUNCHER, "nested": {"_target_": "hydra_plugins.x.Y"}}},
        {"sweeper": {"_target_": "hydra_pluginsx.Y"}},
        {"help": {"_target_": "os.system"}},
        {"job_logging": {"handlers": {"evil": {"()": "os.system", "command": "true"}}}},
        {"job_logging": {"handlers": {"evil": {"class": "logging.handlers.HTTPHandler"}}}},
        {"job_logging": {"formatters": {"evil": {"()": "builtins.eval"}}}},
        {"hydra_logging": {"filters": {"evil": {"()": "ext://os.system"}}}},
        {
            "hydra_logging": {
                "handlers": {"x": {"class": "logging.StreamHandler", "stream": "ext://os.environ"}}
            }
        },
        {"job": {"env_set": {"PATH": "/tmp"}}},
        {"job": {"env_set": {"LD_PRELOAD": "x.so"}}},
        {"job": {"env_set": {TRUSTED: "os"}}},
    ],
)
def test_what_hydra_may_not_call(changes: dict[str, Any]) -> None:
    with pytest.raises(
        ConfigError, match=r"hydra\.(callbacks|launcher|sweeper|help|job_logging|hydra_logging|job)"
    ):
        check_hydra(
            {"callbacks": CALLBACK, "launcher": LAUNCHER, "job_logging": LOGGING, **changes}
        )


def test_a_package_is_trusted_by_its_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUSTED, "asr_scaling.engine.fak,posix,")
    assert os.environ[TRUSTED]
    assert isinstance(build(FAKE), Fake)
    for target in ("os.system", "posixpath.join", "posix.system"):
        with pytest.raises(ConfigError, match="may not call"):
            build({"_target_": target})
