"""What this machine is and does meanwhile: processor, memory, GPUs, interference, other processes, peaks.

May import util, errors, core.
"""
