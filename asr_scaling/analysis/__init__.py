"""Values from records, without presentation: laws, comparison, bottlenecks, recommendation.

May import util, errors, core, machine, load, the groups, measure, records.
"""
