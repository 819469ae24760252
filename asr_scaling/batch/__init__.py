"""How utterances become batches: one module a strategy.

May import util, errors, core, machine, load, model.
"""
