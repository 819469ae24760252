"""Records found again, merged from rounds, locked while a sweep works on them, and taken over when it is gone.

May import util, errors, core, machine, the groups, measure.
"""
