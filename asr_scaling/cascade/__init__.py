"""A cascade: voice activity, recognition, punctuation and speakers as one system, each measured.

May import util, errors, core, machine, load, model, engine, device, dataset, batch, vad,
punctuation, speaker, serving, scenario, profiler, tracking.
"""
