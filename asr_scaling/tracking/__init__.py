"""Where records go: one module a store."""
