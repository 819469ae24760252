"""The system that a YAML of ``python -m asr_scaling recommend`` describes, composed and loaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from asr_scaling.core.ports import System, SystemSpec
from asr_scaling.errors import ConfigError, WeightsError
from asr_scaling.util.config_dir import conf_dir

if TYPE_CHECKING:
    from omegaconf import DictConfig

_LOST_S = 0.05


def options_in(path: Path) -> dict[str, Any]:
    """The options of the configuration in ``path``: any that ``--config-name`` runs will do.

    Raises ConfigError when the file is no such configuration.
    """
    from asr_scaling.sweep.instantiate import options

    if path.suffix != ".yaml" or not path.is_file():
        raise ConfigError(
            f"There is no file '{path}' that ends with .yaml; "
            "python -m asr_scaling recommend writes one."
        )
    return options(_composed(path))


def described(plain: dict[str, Any]) -> SystemSpec:
    """The system that ``options_in`` describe, with its optimisations; nothing is loaded.

    Raises ConfigError where they make no sense.
    """
    from asr_scaling.sweep.instantiate import build_system

    return build_system(plain).composed()


def loaded(spec: SystemSpec) -> System:
    """A composed system, loaded.

    Raises WeightsError when its weights would be random, and whatever its engine and device raise.
    """
    spec.check()
    spec.device.setup()
    system = spec.engine.load(spec.model, spec.device)
    if system.facts.random:
        source = system.facts.weights_source
        system.close()
        raise WeightsError(
            f"The weights of '{spec.model.name}' would be random, and so would its texts: {source}."
        )
    return system


def unread(lasts_s: float, read_s: float, use: str) -> str:
    """Why audio can't be taken of which a system reads only a part, as a predicate; else empty.

    use: what to do with another configuration: "load", "serve".
    """
    if read_s >= lasts_s - _LOST_S:
        return ""
    return (
        f"lasts {lasts_s:.1f} s and this system reads only {read_s:.1f} s of it: cut it, or {use} "
        "a configuration with engine.long_form=true."
    )


def _composed(path: Path) -> DictConfig:
    """``path`` composed as ``--config-dir`` and ``--config-name`` would.

    If the caller is a Hydra program, its own state stays as it is.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    program = GlobalHydra.instance()
    its_hydra = program.hydra
    program.clear()
    places = [f"file://{place}" for place in (conf_dir().resolve(), path.parent.resolve())]
    try:
        with TemporaryDirectory() as folder:  # no YAML beside it may hide one of this package
            shutil.copyfile(path, Path(folder, "recommended.yaml"))
            with hydra.initialize_config_dir(folder, version_base="1.3"):
                return hydra.compose("recommended", [f"hydra.searchpath={places!r}"])
    except Exception as error:  # Hydra's, OmegaConf's and YAML's own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"'{path}' can't be composed ({reason}): "
            "have  python -m asr_scaling recommend  write it again."
        ) from error
    finally:
        GlobalHydra.set_instance(program)
        program.hydra = its_hydra
