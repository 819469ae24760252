"""Where records go: one module a store."""

STORE = "sqlite:///mlflow.db"
"""MLflow's, where none is named: a database in the current folder."""
