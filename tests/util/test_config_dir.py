"""The YAMLs of this package, read without OmegaConf."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from asr_scaling.util.config_dir import conf_dir, read_yaml

YAMLS = sorted(conf_dir().rglob("*.yaml"))


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.relative_to(conf_dir()).as_posix())
def test_plain_yaml_is_what_omegaconf_reads(path: Path):
    """PyYAML takes 4e9 for a text and OmegaConf for a number, so no YAML here may say that."""
    assert read_yaml(path) == (OmegaConf.to_container(OmegaConf.load(path)) or {})
