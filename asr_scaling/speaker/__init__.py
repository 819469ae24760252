"""What tells voices apart: one module a method.

May import util, errors, core, machine, load, model.
"""
