"""Where the config tree is: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def conf_dir() -> Path:
    """The folder with ``config.yaml`` and the groups."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "conf"
    return checkout if (checkout / "config.yaml").exists() else package / "conf"


def read_yaml(path: Path, *, resolve: bool = False) -> dict[str, Any]:
    """The options in a YAML file; references to other options stay as they are written.

    resolve: put what references stand for in their place.
    """
    from omegaconf import OmegaConf

    options = OmegaConf.to_container(OmegaConf.load(path), resolve=resolve)
    return {str(key): value for key, value in options.items()} if isinstance(options, dict) else {}
