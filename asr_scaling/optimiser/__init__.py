"""What should I optimise? The search for the fastest way to run a model: what to measure next, and what it proves.

Pure: it is given something that measures, and returns what it found. optimising.py connects it with a sweep.
"""
