"""Records on disk: found, merged from rounds, locked while a sweep runs, brought to a store.

May import util, errors, core, machine, load, the groups, measure.
"""
