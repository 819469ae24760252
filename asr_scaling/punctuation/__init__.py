"""What adds marks and capital letters to texts: one module a method.

May import util, errors, core, machine, load, model.
"""
