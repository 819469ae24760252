"""The search for the fastest way to run a model: what to measure next, and what that proves.

May import util, errors, core, machine, load, the groups, measure, records, analysis.
"""
