"""The best configuration of this machine under a budget, from what was measured, as a YAML that runs."""
