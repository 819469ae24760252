"""Where the config tree is: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def conf_dir() -> Path:
    """The folder with ``config.yaml`` and the groups."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "conf"
    return checkout if (checkout / "config.yaml").exists() else package / "conf"


def read_yaml(path: Path) -> dict[str, Any]:
    """The options in a YAML file of this package; references to others stay as they are written.

    Read without OmegaConf, whose import would cost a report more than the reading; a test shows
    that both read the same.
    """
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
