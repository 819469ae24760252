"""Where the config tree is: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path


def conf_dir() -> Path:
    """The folder with ``config.yaml`` and the groups."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "conf"
    return checkout if (checkout / "config.yaml").exists() else package / "conf"
