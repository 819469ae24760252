"""One point, from its job to its record: ``run(job)``, its passes and its fingerprint.

May import util, errors, core, machine, load, model, engine, device, dataset, batch, vad,
punctuation, speaker, serving, scenario, profiler, tracking.
"""
