"""``conf_dir()``: the folder of the YAML groups, for a script that begins with a copy of one."""

from asr_scaling.util.config_dir import conf_dir

__all__ = ["conf_dir"]
