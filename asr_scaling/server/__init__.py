"""A system behind HTTP: OpenAI's API for transcriptions, health, and figures for Prometheus.

May import util, errors, core, machine, load, the groups, measure, records, analysis, search,
selftest, launchers, report, sweep.
"""
