"""A callback that raises ends the program: Hydra alone would warn, go on and exit with 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf

from asr_scaling.errors import ConfigError
from asr_scaling.sweep import callback
from asr_scaling.sweep.callback import SweepCallback
from asr_scaling.sweep.stopping_callback import StoppingCallback

HOOKS = [name for name in vars(Callback) if name.startswith("on_")]
CONFIG = OmegaConf.create({"sweep": {}, "hydra": {}})


def raising(error: Exception) -> Callable[..., None]:
    def hook(*_: Any, **__: Any) -> None:
        raise error

    return hook


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("error", [ConfigError("It is so."), RuntimeError("no home")])
def test_every_hook(name: str, error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    own: Any = type("Own", (StoppingCallback,), {name: raising(error)})
    with pytest.raises(SystemExit) as end:
        getattr(own(), name)(config=CONFIG)
    assert end.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert str(error) in said
    assert str(error) in str(end.value)


def test_the_hooks_of_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("current", "planned", "places"):
        monkeypatch.setattr(callback, name, raising(OSError(28, "No space left on device")))
    given = {"on_job_start": {"task_function": print}, "on_job_end": {"job_return": JobReturn()}}
    own = [name for name in HOOKS if name in vars(SweepCallback) and name != "on_job_end"]
    assert len(own) == 5
    for name in own:
        with pytest.raises(SystemExit) as end:
            getattr(SweepCallback(), name)(CONFIG, **given.get(name, {}))
        assert end.value.code == 1
