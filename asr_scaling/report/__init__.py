"""Presentation only: documents made from analysis, as HTML, Markdown, CSV and in the terminal.

May import util, errors, core, machine, load, the groups, measure, records, analysis, search,
selftest, launchers.
"""
