"""What drives a system, the group ``scenario``: call after call, or requests that arrive.

May import util, errors, core, machine, load, model.
"""
