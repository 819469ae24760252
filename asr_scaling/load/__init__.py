"""Requests that arrive: when they are due, the process that keeps the schedule, what a load shows.

May import util, errors, core, machine.
"""
