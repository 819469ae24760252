"""A sweep: its plan of points, their order, resuming, and the callback by which Hydra runs it.

May import util, errors, core, machine, load, the groups, measure, records, analysis, search,
selftest, launchers, report.
"""
