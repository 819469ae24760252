"""How speech is found in a recording: one module a detector.

May import util, errors, core, machine, load, model.
"""
