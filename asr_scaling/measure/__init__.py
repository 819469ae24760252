"""One point, from its job to its record: ``run(job)``, the pipeline of passes, the fingerprint of a point.

May import util, errors, core, machine, model, engine, device, dataset, batch, profiler, tracking.
"""
