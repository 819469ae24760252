"""Ways to run a model faster, smaller or with less energy: one YAML a choice.

May import util, errors, core, machine, load, model, engine, device, dataset, batch, vad,
punctuation, speaker, serving, scenario, profiler, tracking.
"""
