"""Points measured in other processes, maybe on other machines: Slurm, Ray, joblib.

May import util, errors, core, machine, load, the groups, measure, records, analysis.
"""
