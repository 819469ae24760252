"""What to optimise: what each optimisation gained, the fastest way to run the model, and what was
left out.
"""
