"""Software that runs models: one module an engine.

May import util, errors, core, machine, load, model.
"""
