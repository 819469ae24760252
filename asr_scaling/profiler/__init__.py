"""What is measured of a point: one module a measurement.

May import util, errors, core, machine, load, model.
"""
