"""Which models of ``conf/model`` are FunASR's, and which transformers has."""

from __future__ import annotations

from asr_scaling.core.model_spec import load_spec
from asr_scaling.model.funasr_layouts import FAMILIES
from asr_scaling.util.config_dir import conf_dir

PATHS = sorted((conf_dir() / "model").glob("*.yaml"))
FUNASR_ZOO = [path.stem for path in PATHS if load_spec(path.stem).family in FAMILIES]
ZOO = [path for path in PATHS if path.stem not in FUNASR_ZOO]
"""Those that transformers has a configuration of."""
