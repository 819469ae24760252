"""Ways to run a model faster, smaller or with less energy, which compose: ``optimisation=[int8,dynamic_window]``.

One YAML a choice, one module a mechanism. What each brings and costs is for measurements to say.
"""
