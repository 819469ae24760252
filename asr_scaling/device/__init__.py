"""Where systems run: one module a kind of device.

May import util, errors, core, machine, load, model.
"""
