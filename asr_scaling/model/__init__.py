"""What a model is, and where its weights come from.

May import util, errors, core, machine.
"""
