"""What this machine is and does while it measures: processor, memory, GPUs, other processes.

May import util, errors, core.
"""
