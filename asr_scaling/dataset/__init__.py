"""Speech with transcripts: one module a source, and fragments of exact lengths made of any of them.

May import util, errors, core, machine, load, model.
"""
