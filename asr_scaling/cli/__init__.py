"""The command line: one verb a module.

May import util, errors, core, machine, the groups, measure, records, analysis, search, selftest,
launchers, report, sweep.
"""
