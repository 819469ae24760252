"""Is this machine fit to measure? Known inputs through the real pipeline: ``asr-scaling selftest``.

May import util, errors, core, machine, load, the groups, measure, records, analysis.
"""
