"""Where records go: one module a store.

May import util, errors, core, machine, model.
"""

STORE = "sqlite:///mlflow.db"
"""MLflow's, where none is named: a database in the current folder."""
