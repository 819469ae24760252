"""How requests become calls of a system, the group ``serving``: one module, one YAML each.

May import util, errors, core, machine, load, model.
"""
